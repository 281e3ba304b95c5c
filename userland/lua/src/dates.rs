//! `os.date` and `os.time` in virtual time: UTC, boot being the start of 1970.

use mlua::{Lua, Table, Value};

use crate::kit::Answer;
use crate::place;

const DAY: i64 = 86_400;
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A time of the proleptic Gregorian calendar.
#[derive(Debug, PartialEq, Eq)]
struct Date {
    year: i64,
    /// 1 to 12.
    month: i64,
    /// 1 to 31.
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// 0 is Sunday.
    weekday: i64,
    /// 1 to 366.
    yearday: i64,
}

impl Date {
    fn of(time: i64) -> Date {
        let (days, rest) = (time.div_euclid(DAY), time.rem_euclid(DAY));
        // Years are counted from March, so that the leap day is a year's last.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Date {
            year,
            month,
            day,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            yearday: days - days_from(year, 1) + 1,
        }
    }

    fn text(&self, directive: u8) -> Option<String> {
        let month = MONTHS[self.month as usize - 1];
        let weekday = DAYS[self.weekday as usize];
        let twelve = (self.hour + 11) % 12 + 1;
        Some(match directive {
            b'a' => weekday[..3].to_owned(),
            b'A' => weekday.to_owned(),
            b'b' => month[..3].to_owned(),
            b'B' => month.to_owned(),
            b'c' => format!(
                "{} {} {:2} {} {}",
                &weekday[..3],
                &month[..3],
                self.day,
                self.text(b'X')?,
                self.year
            ),
            b'd' => format!("{:02}", self.day),
            b'D' | b'x' => format!("{:02}/{:02}/{:02}", self.month, self.day, self.year % 100),
            b'F' => format!("{}-{:02}-{:02}", self.year, self.month, self.day),
            b'H' => format!("{:02}", self.hour),
            b'I' => format!("{twelve:02}"),
            b'j' => format!("{:03}", self.yearday),
            b'm' => format!("{:02}", self.month),
            b'M' => format!("{:02}", self.minute),
            b'p' => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
            b'S' => format!("{:02}", self.second),
            b'T' | b'X' => format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second),
            b'w' => self.weekday.to_string(),
            b'y' => format!("{:02}", self.year.rem_euclid(100)),
            b'Y' => self.year.to_string(),
            b'Z' => "UTC".to_owned(),
            b'%' => "%".to_owned(),
            _ => return None,
        })
    }

    fn table(&self, lua: &Lua) -> mlua::Result<Table> {
        let table = lua.create_table()?;
        let fields = [
            ("year", self.year),
            ("month", self.month),
            ("day", self.day),
            ("hour", self.hour),
            ("min", self.minute),
            ("sec", self.second),
            ("wday", self.weekday + 1),
            ("yday", self.yearday),
        ];
        for (name, value) in fields {
            table.raw_set(name, value)?;
        }
        table.raw_set("isdst", false)?;
        Ok(table)
    }
}

/// The days from 1970 to the first of the month.
fn days_from(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let march = (month + 9) % 12;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * march + 2) / 5 - 719_468
}

/// The seconds that a table with the fields of `os.date("*t")` stands for.
pub(crate) fn time(lua: &Lua, date: &Table) -> Answer {
    let field = |name: &str, default: Option<i64>| -> Result<i64, String> {
        match date.raw_get::<Value>(name) {
            Ok(Value::Nil) => default.ok_or(format!("field '{name}' missing in date table")),
            Ok(Value::Integer(int)) if int.abs() < 1 << 31 => Ok(int),
            _ => Err(format!("field '{name}' is not an integer in bounds")),
        }
    };
    let seconds = || -> Result<i64, String> {
        let months = field("year", None)? * 12 + field("month", None)? - 1;
        let days =
            days_from(months.div_euclid(12), months.rem_euclid(12) + 1) + field("day", None)? - 1;
        Ok(days * DAY
            + field("hour", Some(12))? * 3_600
            + field("min", Some(0))? * 60
            + field("sec", Some(0))?)
    };
    match seconds() {
        Ok(seconds) => (Value::Integer(seconds), None),
        Err(text) => (Value::Nil, Some(place::prefix_in(lua, &text))),
    }
}

/// `os.date(format, time)`.
///
/// # Errors
///
/// A memory error.
pub(crate) fn date(lua: &Lua, format: Option<String>, time: i64) -> mlua::Result<Answer> {
    const LIMIT: i64 = 1 << 55;
    let format = format.unwrap_or_else(|| "%c".to_owned());
    // There is one time zone, so that `!` changes nothing.
    let format = format.strip_prefix('!').unwrap_or(&format);
    let date = Date::of(time.clamp(-LIMIT, LIMIT));
    if format.starts_with("*t") {
        return Ok((Value::Table(date.table(lua)?), None));
    }
    let mut text = Vec::new();
    let mut bytes = format.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            text.push(byte);
            continue;
        }
        match bytes.next().and_then(|directive| date.text(directive)) {
            Some(part) => text.extend(part.into_bytes()),
            None => {
                let text = "bad argument #1 to 'date' (unknown conversion specifier)";
                return Ok((Value::Nil, Some(place::prefix_in(lua, text))));
            }
        }
    }
    Ok((Value::String(lua.create_string(text)?), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_over_leap_years() {
        for days in (-200_000..200_000).step_by(17) {
            let date = Date::of(days * DAY + 3_661);
            assert_eq!(days_from(date.year, date.month) + date.day - 1, days);
            assert_eq!((date.hour, date.minute, date.second), (1, 1, 1));
        }
        let leap = Date::of(951_782_400);
        assert_eq!((leap.year, leap.month, leap.day, leap.weekday), (2000, 2, 29, 2));
        assert_eq!(leap.yearday, 60);
    }
}
