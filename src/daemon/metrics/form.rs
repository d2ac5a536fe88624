//! The forms in which metrics are told.
//!
//! Owns which form a collector wants, and making Prometheus' classic text of OpenMetrics.
//! The two differ in what a counter is called where its type is said, and in the last line:
//! a collector that reads one for the other takes counters for values without a type.

use std::collections::HashSet;

use http::HeaderValue;

/// A form of the same metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' text format 0.0.4, which every collector reads, those of files too.
    Classic,
    /// OpenMetrics 1.0, for who asks for it.
    OpenMetrics,
}

impl Form {
    /// The form that the `Accept` headers of a request ask for.
    pub(in crate::daemon) fn from_accept<'a>(
        accept: impl IntoIterator<Item = &'a HeaderValue>,
    ) -> Form {
        let (mut open_metrics, mut text) = (0.0_f32, 0.0_f32);
        let ranges = accept.into_iter().filter_map(|header| header.to_str().ok());
        for range in ranges.flat_map(|header| header.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameter = |name: &str| {
                let named =
                    |part: &str| Some(part.strip_prefix(name)?.strip_prefix('=')?.to_owned());
                parts.clone().find_map(named)
            };
            let weight: f32 = parameter("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
            let version = parameter("version");
            let is_ours = version.is_none_or(|v| matches!(v.trim_matches('"'), "1.0.0" | "0.0.1"));
            match kind.as_str() {
                "application/openmetrics-text" if is_ours => {
                    open_metrics = open_metrics.max(weight);
                }
                "text/plain" => text = text.max(weight),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Form::OpenMetrics } else { Form::Classic }
    }

    /// What the form is called in HTTP.
    pub(in crate::daemon) const fn content_type(self) -> &'static str {
        match self {
            Form::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// `open_metrics` in this form.
    pub(super) fn render_in(self, open_metrics: String) -> String {
        match self {
            Form::Classic => classic_text(&open_metrics),
            Form::OpenMetrics => open_metrics,
        }
    }
}

fn classic_text(open_metrics: &str) -> String {
    let counters: HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(word), Some(name), Some(rest)) if counters.contains(name) => {
                text.extend(["# ", word, " ", name, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &[&str]) -> Form {
        let accept: Vec<HeaderValue> =
            accept.iter().map(|text| HeaderValue::from_str(text).unwrap()).collect();
        Form::from_accept(&accept)
    }

    #[test]
    fn open_metrics_is_for_who_asks_for_it() {
        for classic in [
            &[][..],
            &["*/*"],
            &["text/plain"],
            &["text/plain;version=0.0.4"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;version=9.9.9"],
            &["application/openmetrics-text;q=0.2, text/plain;q=0.9"],
            &["text/html,application/xhtml+xml,*/*;q=0.8"],
        ] {
            assert_eq!(wanted(classic), Form::Classic, "{classic:?}");
        }
        for open in [
            &["application/openmetrics-text"][..],
            &["application/openmetrics-text; version=1.0.0; charset=utf-8"],
            &["application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
               version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"],
            &["text/plain;q=0.5", "application/openmetrics-text;q=0.6"],
        ] {
            assert_eq!(wanted(open), Form::OpenMetrics, "{open:?}");
        }
    }

    #[test]
    fn in_the_classic_form_a_counter_has_its_whole_name_and_nothing_ends_it() {
        let open = "# HELP a_runs Runs.\n# TYPE a_runs counter\na_runs_total{b=\"# c\"} 1\n\
                    # HELP a_state State.\n# TYPE a_state gauge\na_state 2\n# EOF\n";
        let classic = "# HELP a_runs_total Runs.\n# TYPE a_runs_total counter\n\
                       a_runs_total{b=\"# c\"} 1\n# HELP a_state State.\n# TYPE a_state gauge\n\
                       a_state 2\n";
        assert_eq!(Form::Classic.render_in(open.to_owned()), classic);
        assert_eq!(Form::OpenMetrics.render_in(open.to_owned()), open);
    }
}
