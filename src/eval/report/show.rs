//! How figures look on the page.

use super::{Compared, Score, Unit};

/// A figure without a value.
const NOTHING: &str = "–";

/// A figure with its unit: "63.7 %", "1.31 ×".
pub(super) fn figure(value: f64, unit: Unit) -> String {
    match unit {
        _ if !value.is_finite() => NOTHING.to_owned(),
        Unit::Share => format!("{:.1} %", unsigned_zero(100.0 * value, 0.05)),
        Unit::Times => format!("{:.2} ×", unsigned_zero(value, 0.005)),
    }
}

/// A difference with its sign: "+2.1 pp" (percentage points), "−0.12 ×".
fn difference(value: f64, unit: Unit) -> String {
    let (value, decimals, suffix) = match unit {
        Unit::Share => (unsigned_zero(100.0 * value, 0.05), 1, "pp"),
        Unit::Times => (unsigned_zero(value, 0.005), 2, "×"),
    };
    let sign = if value < 0.0 { "−" } else { "+" };
    if value.is_finite() { format!("{sign}{:.decimals$} {suffix}", value.abs()) } else { NOTHING.to_owned() }
}

/// What would be shown as "-0.0" is 0.
fn unsigned_zero(value: f64, half_a_step: f64) -> f64 {
    if value.abs() < half_a_step { 0.0 } else { value }
}

/// A place on a bar in per cent of its length, as CSS takes it.
fn place(share: f64) -> String {
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    format!("{:.2}%", 100.0 * share)
}

impl Score {
    pub(super) fn value(&self) -> String {
        figure(self.interval.value, self.unit)
    }

    pub(super) fn range(&self) -> String {
        let (low, high) = (figure(self.interval.low, self.unit), figure(self.interval.high, self.unit));
        let low = low.trim_end_matches([' ', '%', '×']);
        format!("{low} – {high}")
    }

    pub(super) fn has_bar(&self) -> bool {
        self.unit == Unit::Share
    }

    pub(super) fn bar_end(&self) -> String {
        place(self.interval.value)
    }

    pub(super) fn interval_start(&self) -> String {
        place(self.interval.low)
    }

    pub(super) fn interval_length(&self) -> String {
        place(self.interval.high - self.interval.low)
    }

    /// By baseline: name, figure and its place on the bar.
    pub(super) fn marks(&self) -> Vec<(&str, String, String)> {
        let marks = self
            .baselines
            .iter()
            .map(|(name, value)| (name.as_str(), figure(*value, self.unit), place(*value)));
        marks.collect()
    }
}

impl Compared {
    pub(super) fn change(&self) -> String {
        difference(self.difference.difference.value, self.unit)
    }

    pub(super) fn change_range(&self) -> String {
        let interval = &self.difference.difference;
        format!("{} … {}", difference(interval.low, self.unit), difference(interval.high, self.unit))
    }

    pub(super) fn above(&self) -> String {
        figure(self.difference.above, Unit::Share)
    }

    /// "better" or "worse" where the interval excludes 0, else "unsure".
    pub(super) fn verdict(&self) -> &'static str {
        let interval = &self.difference.difference;
        match (interval.low > 0.0, interval.high < 0.0) {
            (true, _) if self.less_is_better => "worse",
            (_, true) if self.less_is_better => "better",
            (true, _) => "better",
            (_, true) => "worse",
            _ => "unsure",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::statistics::{Difference, Interval};

    #[test]
    fn figures_have_their_unit_and_no_negative_zero() {
        assert_eq!(figure(0.6374, Unit::Share), "63.7 %");
        assert_eq!(figure(1.305, Unit::Times), "1.30 ×");
        assert_eq!(figure(-1e-9, Unit::Share), "0.0 %");
        assert_eq!(figure(f64::NAN, Unit::Times), "–");
        assert_eq!(difference(-0.0212, Unit::Share), "−2.1 pp");
        assert_eq!(difference(-1e-9, Unit::Times), "+0.00 ×");
        assert_eq!(difference(f64::INFINITY, Unit::Share), "–");
    }

    #[test]
    fn a_place_is_on_the_bar() {
        assert_eq!([0.25, -3.0, 7.0, f64::NAN].map(place), ["25.00%", "0.00%", "100.00%", "0.00%"]);
    }

    #[test]
    fn a_change_counts_where_its_interval_excludes_zero() {
        let compared = |low, high, less_is_better| Compared {
            name: String::new(),
            unit: Unit::Share,
            less_is_better,
            difference: Difference { difference: Interval { value: 0.0, low, high }, above: 0.5 },
        };
        let verdict = |low, high, less| compared(low, high, less).verdict();
        assert_eq!((verdict(0.1, 0.2, false), verdict(0.1, 0.2, true)), ("better", "worse"));
        assert_eq!((verdict(-0.2, -0.1, false), verdict(-0.2, -0.1, true)), ("worse", "better"));
        assert_eq!((verdict(-0.1, 0.1, false), verdict(0.0, 0.0, true)), ("unsure", "unsure"));
    }
}
