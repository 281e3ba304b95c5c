//! Linux's weights of the nice levels: each level is worth 25 % more CPU time than the next.
//!
//! Source: the table `sched_prio_to_weight` of Linux's scheduler: 1024 at nice 0, 335 at nice 5.

use super::Task;

/// The weights of nice levels -20 to 19.
const WEIGHTS: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, // -20 to -11
    9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, // -10 to -1
    1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, // 0 to 9
    110, 87, 70, 56, 45, 36, 29, 23, 18, 15, // 10 to 19
];

/// The weight of a nice level; those outside -20 to 19 count as the nearest.
///
/// ```
/// use hothouse_kernel::policy::weight;
/// assert_eq!((weight(0), weight(5)), (1024, 335));
/// ```
pub fn weight(nice: i8) -> u32 {
    WEIGHTS[(nice.clamp(-20, 19) + 20) as usize]
}

/// The tickets of a task: its own, or the weight of its nice level.
pub(super) fn tickets(task: &Task) -> u32 {
    task.scheduling.tickets.unwrap_or_else(|| weight(task.nice))
}
