//! `strftime_now` for templates that tell the model the date. UTC: a guest knows no time zone.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::{Error, ErrorKind};

const DAY_SECONDS: u64 = 86_400;

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

const WEEKDAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The function: now, in Python's `strftime` format.
pub fn strftime_now(format: &str) -> Result<String, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    strftime(format, now).map_err(|directive| {
        let message = format!("strftime_now does not know the directive %{directive}");
        Error::new(ErrorKind::InvalidOperation, message)
    })
}

/// Formats a time in seconds since 1970 (UTC). The error is the directive that is not known.
fn strftime(format: &str, time_seconds: u64) -> Result<String, String> {
    let time = Time::new(time_seconds);
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('-') => {
                let padded = time.format(characters.next().unwrap_or('-'))?;
                let bare = padded.trim_start_matches(['0', ' ']);
                text.push_str(if bare.is_empty() { "0" } else { bare });
            }
            Some(directive) => text.push_str(&time.format(directive)?),
            None => return Err(String::new()),
        }
    }
    Ok(text)
}

/// A time, taken apart.
struct Time {
    year: u64,
    /// From 0.
    month: usize,
    day: u64,
    day_of_year: u64,
    weekday: usize,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Time {
    fn new(time_seconds: u64) -> Self {
        let (days, seconds) = (time_seconds / DAY_SECONDS, time_seconds % DAY_SECONDS);
        let (mut year, mut rest) = (1970, days);
        while rest >= days_of_year(year) {
            rest -= days_of_year(year);
            year += 1;
        }
        let (mut month, mut day) = (0, rest);
        while day >= days_of_month(year, month) {
            day -= days_of_month(year, month);
            month += 1;
        }
        Self {
            year,
            month,
            day: day + 1,
            day_of_year: rest + 1,
            weekday: (days % 7) as usize,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    fn format(&self, directive: char) -> Result<String, String> {
        Ok(match directive {
            'Y' => format!("{:04}", self.year),
            'y' => format!("{:02}", self.year % 100),
            'm' => format!("{:02}", self.month + 1),
            'B' => MONTHS[self.month].into(),
            'b' => MONTHS[self.month][..3].into(),
            'd' => format!("{:02}", self.day),
            'e' => format!("{:2}", self.day),
            'j' => format!("{:03}", self.day_of_year),
            'A' => WEEKDAYS[self.weekday].into(),
            'a' => WEEKDAYS[self.weekday][..3].into(),
            'H' => format!("{:02}", self.hour),
            'I' => format!("{:02}", (self.hour + 11) % 12 + 1),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.into(),
            'M' => format!("{:02}", self.minute),
            'S' => format!("{:02}", self.second),
            'Z' => "UTC".into(),
            '%' => "%".into(),
            other => return Err(other.into()),
        })
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn days_of_month(year: u64, month: usize) -> u64 {
    match month {
        1 => 28 + u64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_directive_is_named() {
        assert_eq!(strftime("%Y %Q", 0), Err("Q".into()));
        assert_eq!(strftime("100%", 0), Err(String::new()));
    }

    #[test]
    fn times_read_as_python_writes_them() {
        for (time_seconds, expected) in [
            (0, "Thu 01 Jan 1970 00:00:00 001"),
            (951_782_400, "Tue 29 Feb 2000 00:00:00 060"),
            (1_735_689_599, "Tue 31 Dec 2024 23:59:59 366"),
            (1_795_242_753, "Sat 21 Nov 2026 06:32:33 325"),
        ] {
            assert_eq!(strftime("%a %d %b %Y %H:%M:%S %j", time_seconds).as_deref(), Ok(expected));
        }
        assert_eq!(
            strftime("%A %B %-d %y %I%p %%", 46_800).as_deref(),
            Ok("Thursday January 1 70 01PM %")
        );
        assert_eq!(strftime("%-H", 0).as_deref(), Ok("0"));
    }
}
