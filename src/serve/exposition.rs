//! The numbers of a service as Prometheus reads them: text format 0.0.4.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. Written by hand: what the
//! crates for it do beside this page of code is to hold the numbers, behind locks or in maps. Of
//! the process it tells what Prometheus' own clients tell, from `/proc`, and only when asked.

use std::fmt::{Display, Write};
use std::fs;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use crate::serve::drift::report::Report;
use crate::serve::metrics::{BOUNDS, OTHER};
use crate::serve::scores::Said;
use crate::serve::shadow::Summary;
use crate::serve::state::State;

/// The media type of the text.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The unit of times in `/proc`, which for programs is the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Writes one metric after another.
#[derive(Default)]
struct Text {
    text: String,
}

impl Text {
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (i, (label, value)) in labels.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{label}=\"{value}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }

    /// A metric without labels.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.sample(name, &[], value);
    }
}

/// All numbers of a service.
pub(crate) fn write(state: &State) -> String {
    let mut text = Text::default();
    requests(&mut text, state);
    durations(&mut text, state);
    model(&mut text, state);
    drift(&mut text, state);
    shadow(&mut text, state);
    load(&mut text, state);
    access(&mut text, state);
    process(&mut text);
    text.text
}

fn requests(text: &mut Text, state: &State) {
    let name = "http_requests_total";
    text.metric(name, "counter", "Answers, by route, method and status.");
    for (route, method, status, count) in state.metrics.requests() {
        let status = if status == 0 { OTHER.to_owned() } else { status.to_string() };
        let labels = [("route", route), ("method", method), ("status", &*status)];
        text.sample(name, &labels, count);
    }
    let name = "validation_errors_total";
    text.metric(name, "counter", "Wrong fields of refused records, by field and type.");
    for (field, kind, count) in state.counters.errors() {
        text.sample(name, &[("field", &*field), ("type", kind)], count);
    }
}

fn durations(text: &mut Text, state: &State) {
    let name = "http_request_duration_seconds";
    text.metric(name, "histogram", "Time from the end of a head to the start of its answer.");
    for (route, counts, sum) in state.metrics.durations() {
        let bounds = BOUNDS.iter().map(|bound| (*bound as f64 / 1e6).to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&counts) {
            let labels = [("route", route), ("le", &*bound)];
            text.sample(&format!("{name}_bucket"), &labels, count);
        }
        text.sample(&format!("{name}_sum"), &[("route", route)], sum);
        let count = counts.last().copied().unwrap_or_default();
        text.sample(&format!("{name}_count"), &[("route", route)], count);
    }
}

fn model(text: &mut Text, state: &State) {
    let name = "predictions_total";
    text.metric(name, "counter", "Predictions, by model version and class, if there are classes.");
    for (version, class, count) in state.counters.predictions() {
        // A label that is not there is an empty one to Prometheus: sums by version go on working.
        let class = class.as_deref().map(|class| ("class", class));
        let labels: Vec<_> = [("model_version", &*version)].into_iter().chain(class).collect();
        text.sample(name, &labels, count);
    }
    let name = "prediction";
    text.metric(name, "histogram", "Probabilities of the positive class, by model version.");
    for (version, Said { below, sum }) in state.counters.scores() {
        let version = ("model_version", &*version);
        let count = below.last().map_or(0, |(_, count)| *count);
        let bounds = below.into_iter().map(|(bound, count)| (bound.to_string(), count));
        for (bound, count) in bounds.chain([("+Inf".to_owned(), count)]) {
            text.sample(&format!("{name}_bucket"), &[version, ("le", &*bound)], count);
        }
        text.sample(&format!("{name}_sum"), &[version], sum);
        text.sample(&format!("{name}_count"), &[version], count);
    }
    text.metric("model_info", "gauge", "The model that answers.");
    let served = state.served();
    let learner = &served.package.manifest().learner;
    text.sample("model_info", &[("version", served.version()), ("learner", learner)], 1);
    let since = served.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let help = "Since when that model answers, in seconds since 1970.";
    text.single("model_served_since_seconds", "gauge", help, since.as_secs_f64());
    let name = "model_swaps_total";
    text.metric(name, "counter", "Models that took over, or should have and could not.");
    let swaps = &state.metrics.swaps;
    for (outcome, count) in [("done", &swaps.done), ("failed", &swaps.failed)] {
        text.sample(name, &[("outcome", outcome)], count.load(Ordering::Relaxed));
    }
    text.single("model_loaded", "gauge", "Whether a proved model is in memory.", 1);
}

/// What `/drift` tells, of the model that answers.
fn drift(text: &mut Text, state: &State) {
    let served = state.served();
    let Some(drift) = &served.drift else { return };
    let version = served.version();
    let report = Report::of(drift, version);
    let version = ("model_version", version);
    text.metric("drift_rows", "gauge", "Rows within the window that drift is told of.");
    text.sample("drift_rows", &[version], report.rows());
    let name = "drift_psi";
    text.metric(name, "gauge", "Population stability index, by feature with enough values.");
    let told = report.features.iter().filter(|of| of.moved.enough);
    for (of, psi) in told.filter_map(|of| Some((of, of.moved.psi?))) {
        text.sample(name, &[version, ("feature", &*of.feature)], psi);
    }
    let name = "drift_score_psi";
    text.metric(name, "gauge", "The same of the probability, or of the number that is predicted.");
    if let Some(psi) = report.score.psi.filter(|_| report.score.enough) {
        text.sample(name, &[version], psi);
    }
    let name = "drift_out_of_range";
    text.metric(name, "gauge", "Numbers within the window that were beyond the range of the data.");
    for of in &report.features {
        text.sample(name, &[version, ("feature", &*of.feature)], of.out_of_range);
    }
}

/// What came of comparing a challenger, by the last few pairs of versions.
fn shadow(text: &mut Text, state: &State) {
    let Some(shadow) = &state.options.shadow else { return };
    let pairs: Vec<Summary> = shadow.pairs().tallies().iter().map(|of| of.summary()).collect();
    let mut counter = |name: &str, help: &str, label: &str, read: Read| {
        text.metric(name, "counter", help);
        for of in &pairs {
            let pair = [("champion", &*of.champion), ("challenger", &*of.challenger)];
            for (value, count) in read(of) {
                text.sample(name, &[pair[0], pair[1], (label, value)], count);
            }
        }
    };
    let help = "Rows that a challenger was to score, too, by what became of them.";
    counter("shadow_rows_total", help, "outcome", |of| {
        let rows = &of.rows;
        let scored = [("compared", rows.compared), ("dropped", rows.dropped)];
        [scored, [("refused", rows.refused), ("failed", rows.failed)]].concat()
    });
    let help = "Compared rows that the challenger puts into the other class, by that class.";
    counter("shadow_class_changed_total", help, "to", |of| {
        vec![("negative", of.changed.to_negative), ("positive", of.changed.to_positive)]
    });
    let name = "shadow_difference";
    text.metric(name, "histogram", "How far the probabilities of a compared row lie apart.");
    for of in &pairs {
        let pair = [("champion", &*of.champion), ("challenger", &*of.challenger)];
        let mut below = 0;
        for bin in &of.difference.bins {
            below += bin.rows;
            let le = bin.at_most.to_string();
            text.sample(&format!("{name}_bucket"), &[pair[0], pair[1], ("le", &le)], below);
        }
        text.sample(&format!("{name}_bucket"), &[pair[0], pair[1], ("le", "+Inf")], below);
        let sum = of.difference.sum_billionths as f64 / 1e9;
        text.sample(&format!("{name}_sum"), &pair, sum);
        text.sample(&format!("{name}_count"), &pair, below);
    }
    let (rows, _) = shadow.load();
    text.single("shadow_queue_rows", "gauge", "Rows that wait for the challenger.", rows);
    let name = "shadow_swaps_total";
    text.metric(name, "counter", "Challengers that were taken up, or should have been.");
    let (done, failed) = shadow.swaps();
    text.sample(name, &[("outcome", "done")], done);
    text.sample(name, &[("outcome", "failed")], failed);
    let help = "Differences and summaries that could not be written.";
    text.single("shadow_writes_failed_total", "counter", help, shadow.trouble().lost());
}

/// What is read of a pair: the value of a label, and a count.
type Read = fn(&Summary) -> Vec<(&'static str, u64)>;

fn load(text: &mut Text, state: &State) {
    let (metrics, connections) = (&state.metrics, &state.connections);
    let in_flight = metrics.in_flight.load(Ordering::Relaxed);
    text.single("inflight_requests", "gauge", "Requests that are worked on.", in_flight);
    text.single("connections", "gauge", "Connections that are open.", connections.open());
    let help = "Connections that gave their place to another while they waited for a request.";
    text.single("connections_evicted_total", "counter", help, connections.evicted());
    let name = "shed_total";
    text.metric(name, "counter", "What was turned away because of too much else.");
    text.sample(name, &[("what", "connection")], connections.shed());
    text.sample(name, &[("what", "request")], metrics.shed.load(Ordering::Relaxed));
    if let Some(log) = &state.options.log {
        let help = "Lines of the log that were dropped because its reader is slow.";
        text.single("log_lines_dropped_total", "counter", help, log.dropped());
    }
    if let Some(log) = &state.options.predictions {
        let name = "prediction_log_records_total";
        text.metric(name, "counter", "Predictions that are in their log, or should be.");
        text.sample(name, &[("outcome", "written")], log.written());
        text.sample(name, &[("outcome", "dropped")], log.dropped());
    }
    if let Some(spans) = &state.options.spans {
        let help = "Spans that were dropped because the collector is slow or does not answer.";
        text.single("spans_dropped_total", "counter", help, spans.dropped());
    }
    let draining = u8::from(state.is_draining());
    text.single("draining", "gauge", "Whether the service is stopping.", draining);
}

/// Who asked, by the names that the operator gave, and who did not come in.
fn access(text: &mut Text, state: &State) {
    let access = &state.options.access;
    if let Some(keys) = access.keys() {
        let ring = keys.ring();
        let mut counts: Vec<_> = ring.keys().map(|key| (&*key.name, key.counts())).collect();
        counts.sort_unstable();
        let name = "key_requests_total";
        text.metric(name, "counter", "Requests that came with a key, by its name.");
        for (key, (asked, _)) in &counts {
            text.sample(name, &[("key", key)], asked);
        }
        let name = "key_limited_total";
        text.metric(name, "counter", "Those of them that were too many.");
        for (key, (_, limited)) in &counts {
            text.sample(name, &[("key", key)], limited);
        }
    }
    if let Some(tls) = access.tls() {
        let help = "TLS handshakes that came to nothing.";
        text.single("tls_handshakes_failed_total", "counter", help, tls.failed());
    }
}

/// What Prometheus' clients tell of their process; where there is no `/proc`, nothing.
fn process(text: &mut Text) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let stat = read("/proc/self/stat");
    // The name of the program, in parentheses, may hold anything.
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    // Numbers of proc_pid_stat(5), of which the state is the third.
    let field = |n: usize| fields.get(n - 3).and_then(|text| text.parse::<f64>().ok());
    let line = |text: &str, key: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    let mut tell = |name, kind, help, value: Option<f64>| {
        if let Some(value) = value {
            text.single(name, kind, help, value);
        }
    };
    let cpu = field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS_PER_SECOND);
    tell("process_cpu_seconds_total", "counter", "Processor time, user and system.", cpu);
    let resident = line(&read("/proc/self/status"), "VmRSS:").map(|kilobytes| kilobytes * 1024.0);
    tell("process_resident_memory_bytes", "gauge", "Memory that is resident.", resident);
    tell("process_virtual_memory_bytes", "gauge", "Memory that is addressed.", field(23));
    let booted = line(&read("/proc/stat"), "btime ");
    let start = booted.zip(field(22)).map(|(booted, start)| booted + start / TICKS_PER_SECOND);
    tell("process_start_time_seconds", "gauge", "When the process began, since 1970.", start);
    let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    tell("process_open_fds", "gauge", "Files that are open.", open);
    let most = line(&read("/proc/self/limits"), "Max open files");
    tell("process_max_fds", "gauge", "The most files that may be open.", most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_may_hold_anything() {
        let mut text = Text::default();
        text.sample("a", &[("b", "say \"é\"\n\\"), ("c", "")], 1.5);
        assert_eq!(text.text, "a{b=\"say \\\"é\\\"\\n\\\\\",c=\"\"} 1.5\n");
    }

    #[test]
    fn the_process_is_told_whatever_its_name_is() {
        let mut text = Text::default();
        process(&mut text);
        let value = |name: &str| -> f64 {
            let line = text.text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 1e5);
        assert!(value("process_virtual_memory_bytes ") > value("process_resident_memory_bytes "));
        assert!(value("process_start_time_seconds ") > 1.6e9);
        assert!(value("process_open_fds ") >= 3.0 && value("process_cpu_seconds_total ") >= 0.0);
    }
}
