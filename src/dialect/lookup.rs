//! Questions to a dialect: which command, how long, what does this code mean.

use std::time::Duration;

use crate::dialect::schema::CodeRow;
use crate::dialect::schema::Command;
use crate::dialect::schema::Dialect;
use crate::dialect::schema::Param;
use crate::dialect::schema::Variant;

/// The present value of a setting by its name (`pkt_timeout`), where the caller knows it; else the default counts.
pub type SettingOf<'a> = &'a dyn Fn(&str) -> Option<i64>;

/// Nothing is known: every setting has its default.
pub fn defaults(_: &str) -> Option<i64> {
    None
}

impl Dialect {
    /// A command of the document or of its surroundings, by any spelling the document prints, in either case.
    pub fn command(&self, name: &str) -> Option<&Command> {
        self.entry(name).map(|(_, command)| command)
    }

    /// The same with the name as the catalogue writes it. `AT` may be left out: `+QMTCFG`, `QMTCFG`.
    pub fn entry(&self, name: &str) -> Option<(&str, &Command)> {
        let commands = || self.commands.iter().chain(&self.surroundings);
        let is = |known: &str| {
            known.eq_ignore_ascii_case(name)
                || strip_at(known).eq_ignore_ascii_case(name)
                || known.strip_prefix("AT+").is_some_and(|k| k.eq_ignore_ascii_case(name))
        };
        commands()
            .find(|(k, _)| is(k))
            .or_else(|| commands().find(|(_, c)| c.also.iter().any(|a| is(a))))
            .map(|(k, c)| (k.as_str(), c))
    }

    /// The way of writing a command that a key names (`version`), in either case.
    pub fn variant_for(&self, name: &str, variant: &str) -> Option<(&str, &Variant)> {
        let variants = &self.command(name)?.variants;
        variants.iter().find(|(k, _)| k.eq_ignore_ascii_case(variant)).map(|(k, v)| (k.as_str(), v))
    }

    /// The longest time the document allows until the result that completes the command; `None` where it prints none.
    ///
    /// A formula is never below its first factor (decision 28: one `pkt_timeout` is waited even without retries).
    pub fn documented_maximum(&self, name: &str, settings: SettingOf<'_>) -> Option<Duration> {
        let max = self.command(name)?.max_response.as_ref()?;
        match (&max.ms, &max.formula) {
            (Some(ms), _) => Some(Duration::from_millis(*ms)),
            (None, Some(formula)) => {
                let factors = self.factors(formula, settings)?;
                let product = factors.iter().product::<u64>().max(*factors.first()?);
                Some(Duration::from_secs(product))
            }
            (None, None) => max.default_ms.map(Duration::from_millis),
        }
    }

    /// How long the host waits: the documented maximum, or one transmission more, plus the larger of 1 s and 25 %
    /// (decision 28). `None` where the document prints no time.
    pub fn deadline(&self, name: &str, settings: SettingOf<'_>) -> Option<Duration> {
        let maximum = self.documented_maximum(name, settings)?;
        let formula = self.command(name)?.max_response.as_ref()?.formula.as_deref();
        let transmissions = match formula.and_then(|f| self.factors(f, settings)).as_deref() {
            Some([timeout, retries]) => Duration::from_secs(timeout * (retries + 1)),
            _ => Duration::ZERO,
        };
        let patience = maximum.max(transmissions);
        Some(patience + (patience / 4).max(Duration::from_secs(1)))
    }

    fn factors(&self, formula: &str, settings: SettingOf<'_>) -> Option<Vec<u64>> {
        let factor = |word: &str| match word.parse::<u64>() {
            Ok(number) => Some(number),
            Err(_) => {
                let value = settings(word).or_else(|| self.default_of(word))?;
                u64::try_from(value).ok()
            }
        };
        formula.split('*').map(|word| factor(word.trim())).collect()
    }

    /// The default of a setting, whichever command has it.
    pub fn default_of(&self, param: &str) -> Option<i64> {
        let params = self.commands.values().filter_map(|c| c.params.get(param));
        params.filter_map(|p| p.default.as_deref()?.parse().ok()).next()
    }

    /// What a code means: `place` is an error table (`QMTSTAT err_code`) or a command and a parameter of its result
    /// (`AT+QMTOPEN result`, `+QMTOPEN result`).
    pub fn meaning(&self, place: &str, code: i64) -> Option<&CodeRow> {
        if let Some(table) = self.error_codes.get(place) {
            return row(table, code);
        }
        let (command, param) = place.rsplit_once(' ')?;
        row(self.command(command)?.results.get(param)?, code)
    }
}

impl Command {
    /// A parameter by its name; the number of a repeated one (`topic1`, `store_status_0`) does not count.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.get(name).or_else(|| {
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
            self.params.get(stem).or_else(|| self.params.get(stem.trim_end_matches('_')))
        })
    }
}

/// The row of a code; a row may stand for a range (`9-255`).
fn row(table: &indexmap::IndexMap<String, CodeRow>, code: i64) -> Option<&CodeRow> {
    table.get(&code.to_string()).or_else(|| {
        let within = |key: &str| code_range(key).is_some_and(|(low, high)| low < high && (low..=high).contains(&code));
        table.iter().find(|(key, _)| within(key)).map(|(_, row)| row)
    })
}

/// A code key: `4`, `-1`, or a range `9-255`.
pub fn code_range(key: &str) -> Option<(i64, i64)> {
    if let Ok(code) = key.parse() {
        return Some((code, code));
    }
    let (low, high) = key.split_once('-')?;
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low < high => Some((low, high)),
        _ => None,
    }
}

fn strip_at(name: &str) -> &str {
    name.strip_prefix("AT").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::catalogue;

    #[test]
    fn deadline_of_a_formula_waits_one_transmission_more_and_a_quarter() {
        let dialect = catalogue().get("ecx00u_egx00u").expect("is built in");
        let maximum = dialect.documented_maximum("AT+QMTSUB", &defaults);
        assert_eq!(Some(Duration::from_secs(15)), maximum);
        assert_eq!(Some(Duration::from_secs(25)), dialect.deadline("AT+QMTSUB", &defaults));
        let none = |name: &str| (name == "retry_times").then_some(0);
        assert_eq!(Some(Duration::from_secs(5)), dialect.documented_maximum("AT+QMTSUB", &none));
    }

    #[test]
    fn deadline_of_a_short_command_is_a_second_more() {
        let dialect = catalogue().get("ecx00u_egx00u").expect("is built in");
        assert_eq!(Some(Duration::from_millis(1300)), dialect.deadline("AT+QMTCFG", &defaults));
        assert_eq!(None, dialect.deadline("AT+QMTRECV", &defaults));
    }

    #[test]
    fn meaning_is_found_by_table_and_by_result() {
        let dialect = catalogue().get("ecx00u_egx00u").expect("is built in");
        assert!(dialect.meaning("QMTSTAT err_code", 2).is_some_and(|r| r.remedy.is_some()));
        assert!(dialect.meaning("+QMTOPEN result", 4).is_some());
        assert!(dialect.meaning("QMTSTAT err_code", 77).is_some(), "9-255 is one row");
        assert!(dialect.meaning("QMTSTAT err_code", 300).is_none());
    }

    #[test]
    fn command_is_found_in_any_spelling() {
        let dialect = catalogue().get("ecx00u_egx00u").expect("is built in");
        for name in ["AT+QMTCFG", "at+qmtcfg", "+QMTCFG", "qmtcfg"] {
            assert_eq!(Some("AT+QMTCFG"), dialect.entry(name).map(|(n, _)| n), "{name}");
        }
        assert!(dialect.entry("QMTNOSUCH").is_none());
    }
}
