//! What the daemon would do, in plain words, for `earnestd --check`.

use std::fmt::{self, Display};
use std::time::Duration;

use earnest_audio::DeviceWish;
use earnest_policy::AnswerRules;

use crate::configuration::{Configuration, Exposed, GuardSettings, MicrophoneSettings, Mode};

/// A configuration, told to a person.
pub struct Plan<'a>(pub &'a Configuration);

impl Display for Plan<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in lines(self.0) {
            writeln!(formatter, "{line}")?;
        }
        Ok(())
    }
}

fn lines(told: &Configuration) -> Vec<String> {
    let Configuration {
        model,
        gate,
        listen,
        allow,
        apps,
        workers,
        limits,
        audit,
        ..
    } = told;
    let mut lines = vec![
        format!("device: {}", told.device.display()),
        format!(
            "model: {} from {}, voice from {}, both signed by {}",
            model.size.card(),
            model.speech.display(),
            model.voice.display(),
            model.release_key.display()
        ),
        match &gate.mode {
            Mode::Local => {
                "gate: opens when this device's TPM unseals the model; no fleet is asked".to_owned()
            }
            Mode::Fleet { result_key, grace } => format!(
                "gate: opens when this device's TPM unseals the model and a result checked with {} \
                 holds, and for {} after it",
                result_key.display(),
                time(*grace)
            ),
        },
        format!(
            "gate: the boot PCRs are read every {}, the model is tested every {}",
            time(gate.check),
            time(gate.self_test)
        ),
        format!(
            "listens: TLS on {}, certificates for {}",
            list(&listen.tls),
            time(listen.leaf)
        ),
        match &listen.unix {
            Some(path) => format!("listens: Unix socket {path}"),
            None => {
                "listens: no Unix socket, so nobody gets tokens and no operator is heard".into()
            }
        },
    ];
    if !listen.clear_text.is_empty() {
        let places = list(&listen.clear_text);
        lines.push(format!("listens: CLEAR TEXT on {places}"));
    }
    if !listen.wyoming.is_empty() {
        lines.push(format!(
            "listens: the Wyoming protocol, known by the caller's user alone, on {}",
            list(&listen.wyoming)
        ));
    }
    lines.extend([
        told_of_microphone(&told.microphone),
        told_of_guard(told.guard.as_ref()),
        format!("serves: programs of {}", users(&allow.apps)),
        format!("operated by: {}", users(&allow.operators)),
        format!("audited by: {}", users(&allow.auditors)),
        format!(
            "apps: {} requests a minute, {} at once after a pause, {} side by side, {} minutes of \
             sound a day, tokens for {}, unless an app's own entry says otherwise",
            apps.limits.per_minute(),
            apps.limits.burst(),
            apps.limits.at_once(),
            apps.limits.daily_sound_minutes(),
            time(apps.token)
        ),
        format!("answers: {}", told_of_answers(&told.answers)),
        format!(
            "workers: {} at most, {} ready ahead, {} threads and {} MiB each, ended after {} idle",
            workers.most,
            workers.warm,
            workers.threads,
            workers.memory >> 20,
            time(workers.idle)
        ),
        format!(
            "limits: {} MiB an upload, {} a request, {} of silence, {} connections a listener, \
             {} to end",
            limits.upload >> 20,
            time(limits.request),
            time(limits.quiet),
            listen.connections,
            time(limits.drain)
        ),
        format!(
            "runs: as {} when root starts it; {} where memory cannot be guarded",
            told.run.user,
            match told.run.exposed_memory {
                Exposed::Refuse => "not at all",
                Exposed::Warn => "with a warning",
            }
        ),
        format!(
            "keeps: an audit log of {} and {} MiB at most in {}, measured every {}",
            time(audit.keep),
            audit.most >> 20,
            told.state.display(),
            time(audit.anchor)
        ),
        match &told.collector {
            Some(place) => format!("sends spans of requests to {place}"),
            None => "sends no spans of requests".to_owned(),
        },
        format!(
            "measures each start with this configuration's SHA-256: {}",
            told.digest
        ),
    ]);
    lines
}

fn told_of_microphone(microphone: &MicrophoneSettings) -> String {
    if !microphone.enabled {
        return "microphone: nobody may listen".to_owned();
    }
    let device = match &microphone.device {
        DeviceWish::Named(pattern) => format!("\"{}\"", pattern.as_str()),
        DeviceWish::Default => "the system's own choice".to_owned(),
    };
    let open = match microphone.warm {
        true => format!(
            "ALWAYS OPEN, {} of it kept for who comes",
            time(microphone.pre_roll)
        ),
        false => "open while somebody listens".to_owned(),
    };
    let muted = match microphone.muted {
        true => ", muted at the start",
        false => "",
    };
    format!(
        "microphone: {device}, {open}{muted}, {} listeners at most, {} of silence end an utterance",
        microphone.listeners,
        time(microphone.silence)
    )
}

fn told_of_guard(guard: Option<&GuardSettings>) -> String {
    let Some(guard) = guard else {
        return "guard: none".to_owned();
    };
    let required = match guard.required {
        true => "nobody listens unless it agrees",
        false => "DONE WITHOUT where it is not there",
    };
    let uploads = match guard.uploads {
        true => "uploads are served without it",
        false => "nothing is served without it",
    };
    format!("guard: at {}; {required}; {uploads}", guard.place)
}

fn told_of_answers(answers: &AnswerRules) -> String {
    let mut rules = Vec::new();
    if let Some(floor) = answers.certainty_floor() {
        rules.push(format!("text of a certainty below {floor} is withheld"));
    }
    if let Some(digits) = answers.redact_digits() {
        rules.push(format!("numbers of {digits} digits or more are replaced"));
    }
    if let Some(pad) = answers.quantum() {
        rules.push(format!("given at multiples of {}", time(pad)));
    }
    match rules.is_empty() {
        true => "as they are heard, and at once".to_owned(),
        false => rules.join("; "),
    }
}

fn list<T: Display>(things: &[T]) -> String {
    match things {
        [] => "nothing".to_owned(),
        things => {
            let named: Vec<String> = things.iter().map(T::to_string).collect();
            named.join(" and ")
        }
    }
}

fn users(ids: &[u32]) -> String {
    match ids {
        [] => "nobody".to_owned(),
        ids => format!("uid {}", list(ids)),
    }
}

fn time(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) if seconds > 0 && seconds.is_multiple_of(3600) => {
            format!("{} h", seconds / 3600)
        }
        (seconds, 0) => format!("{seconds} s"),
        (_, _) => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Accounts;

    fn told(text: &str) -> String {
        let configuration = Configuration::parse(text, &Accounts::of_this_machine());
        Plan(&configuration.unwrap()).to_string()
    }

    #[test]
    fn the_defaults_are_told_in_plain_words() {
        let said = told("");
        for line in [
            "TLS on 127.0.0.1:8473 and [::1]:8473, certificates for 24 h",
            "every 500 ms",
            "programs of nobody",
            "no fleet is asked",
            "Unix socket /run/earnest/earnest.sock",
            "microphone: the system's own choice, open while somebody listens, 16 listeners",
            "guard: none",
        ] {
            assert!(said.contains(line), "no {line} in:\n{said}");
        }
        assert!(!said.contains("CLEAR TEXT") && !said.contains("Wyoming"));
    }

    #[test]
    fn what_is_not_as_usual_stands_out() {
        let said = told(
            "[gate]\nmode = \"fleet\"\nresult_key = \"/k\"\ngrace_seconds = 90\n[listen]\nunix = \"\"\n\
             clear_text = [\"127.0.0.1:80\"]\nwyoming = [\"127.0.0.1:10300\"]\n\
             [microphone]\nwarm = true\n[guard]\ndevice = \"/dev/ttyACM0\"\nrequired = false\n[allow]\napps = [7, 8]",
        );
        for line in [
            "CLEAR TEXT on 127.0.0.1:80",
            "holds, and for 90 s after it",
            "no Unix socket",
            "programs of uid 7 and 8",
            "the Wyoming protocol, known by the caller's user alone, on 127.0.0.1:10300",
            "ALWAYS OPEN",
            "guard: at /dev/ttyACM0; DONE WITHOUT where it is not there; uploads are served",
        ] {
            assert!(said.contains(line), "no {line} in:\n{said}");
        }
    }
}
