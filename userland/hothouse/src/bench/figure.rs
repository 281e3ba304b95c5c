use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::{Bench, BenchError, Live, Row, Series, Unit};

/// The same work on another runtime, for comparison.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The name of the row.
    pub row: &'static str,
    /// The runtime's name.
    pub name: &'static str,
    /// Does work of a size once, checks it, and gives the figure in the row's unit.
    pub measure: fn(u64) -> f64,
}

/// What was measured of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The row's number.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What the figures count.
    pub unit: Unit,
    /// The size of the work.
    pub size: u64,
    /// Hothouse.
    pub ours: Summary,
    /// Ours by the round trip of a bare coroutine, measured between the runs; for times only.
    pub unit_ratio: Option<f64>,
    /// The others, measured between the runs.
    pub peers: Vec<PeerFigure>,
    /// The one with the least median.
    pub best_peer: Option<&'static str>,
    /// Ours by that one's.
    pub peer_ratio: Option<f64>,
    /// What ours should be at most.
    pub target: Option<f64>,
    /// What memory parked processes take and give back, for rows about that.
    pub memory: Option<Live>,
}

/// What was measured of a peer.
#[derive(Clone, Debug, Serialize)]
pub struct PeerFigure {
    /// Its name.
    pub name: &'static str,
    /// Its figures.
    pub figure: Summary,
}

/// A series in three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many measurements.
    pub runs: usize,
}

impl From<&Series> for Summary {
    fn from(series: &Series) -> Summary {
        let runs = series.runs.len();
        Summary { median: series.median(), min: series.min(), max: series.max(), runs }
    }
}

/// How many round trips of the bare coroutine stand beside a measurement.
const ROUND_TRIPS: u64 = 2_000_000;

impl Figure {
    /// Measures a row `runs` times with work of `size`, and the peers that do it. Each run is the
    /// bare coroutine, then ours, then the peers, so that a busy host is as busy for all.
    ///
    /// Rows about memory are measured once: the host's allocator would give a second run what the
    /// first left.
    ///
    /// # Errors
    ///
    /// As [`Bench::measure`].
    pub fn measure(
        bench: &Bench,
        row: &Row,
        size: u64,
        runs: usize,
        peers: &[Peer],
    ) -> Result<Figure, BenchError> {
        let peers: Vec<&Peer> = peers.iter().filter(|peer| peer.row == row.name).collect();
        let memory = row.kind.map(|kind| super::live(bench, kind, size)).transpose()?;
        let runs = if memory.is_some() { 1 } else { runs.max(1) };
        let (mut switch, mut ours) = (Series::default(), Series::default());
        let mut others = vec![Series::default(); peers.len()];
        for _ in 0..runs {
            if let Some(memory) = memory {
                ours.push(memory.each.all);
            } else {
                let bare = super::time(|| hothouse_kernel::bare_round_trips(ROUND_TRIPS));
                switch.push(bare.0 / ROUND_TRIPS as f64);
                ours.push(bench.measure(row, size)?);
            }
            for (peer, series) in peers.iter().zip(&mut others) {
                series.push((peer.measure)(size));
            }
        }
        let median = ours.median();
        let figures = peers.iter().zip(&others);
        let figures = figures
            .map(|(peer, series)| PeerFigure { name: peer.name, figure: Summary::from(series) });
        let peers: Vec<PeerFigure> = figures.collect();
        let best = peers.iter().min_by(|a, b| a.figure.median.total_cmp(&b.figure.median));
        Ok(Figure {
            number: row.number,
            name: row.name,
            about: row.about,
            unit: row.unit,
            size,
            ours: Summary::from(&ours),
            unit_ratio: (row.unit == Unit::Nanos).then(|| median / switch.median()),
            best_peer: best.map(|peer| peer.name),
            peer_ratio: best.map(|peer| median / peer.figure.median),
            peers,
            target: row.target,
            memory,
        })
    }

    /// Whether the target is met; `None` without one, or with work that is too small to tell.
    pub fn is_met(&self) -> Option<bool> {
        self.target.map(|target| self.ours.median <= target)
    }
}

/// Figures as a table.
pub fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    let header = [
        "#",
        "row",
        "what",
        "ours",
        "min",
        "max",
        "x switch",
        "best peer",
        "its",
        "ours/its",
        "target",
        "met",
    ];
    table.load_style(NOTHING).set_header(header);
    for figure in figures {
        let best = figure.peers.iter().find(|peer| Some(peer.name) == figure.best_peer);
        table.add_row([
            figure.number.to_string(),
            figure.name.to_owned(),
            figure.about.to_owned(),
            number(figure.ours.median),
            number(figure.ours.min),
            number(figure.ours.max),
            figure.unit_ratio.map_or_else(String::new, number),
            figure.best_peer.unwrap_or_default().to_owned(),
            best.map_or_else(String::new, |peer| number(peer.figure.median)),
            figure.peer_ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            figure.target.map_or_else(String::new, number),
            figure.is_met().map_or("", |met| if met { "yes" } else { "no" }).to_owned(),
        ]);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if ![1, 2, 7, 11].contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn number(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.1}") }
}
