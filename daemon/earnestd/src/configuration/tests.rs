use earnest_audio::DeviceWish;

use super::*;

const EXAMPLE: &str = include_str!("../../dist/earnestd.toml");

fn accounts() -> Accounts {
    Accounts {
        user: |name| (name == "ada").then(|| Uid::from_raw(1815)),
        group: |name| (name == "sound").then(|| Gid::from_raw(29)),
    }
}

fn parse(text: &str) -> Result<Configuration, ConfigurationError> {
    Configuration::parse(text, &accounts())
}

#[test]
fn the_example_sets_every_default() {
    let example = parse(EXAMPLE).unwrap();
    let defaults = parse("").unwrap();
    assert_ne!(example.digest, defaults.digest);
    let digest = defaults.digest;
    assert_eq!(
        Configuration { digest, ..example },
        defaults,
        "the example differs from what a missing key means"
    );
}

/// The names in backticks of `unknown field`, as serde lists what it would have taken.
fn taken(text: &str) -> Vec<String> {
    let refused = parse(text).unwrap_err().to_string();
    let (_, list) = refused.split_once("expected").expect("serde lists keys");
    let names = list.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn the_example_explains_every_key() {
    let sections = taken("nothing = 1");
    assert!(sections.len() > 5, "{sections:?}");
    for section in sections {
        let heading = format!("\n[{section}]\n");
        let (_, rest) = EXAMPLE.split_once(&heading).expect(&section);
        let body = rest.split("\n[").next().unwrap_or_default();
        let keys = taken(&format!("[{section}]\nnothing = 1"));
        assert!(!keys.is_empty(), "{section}");
        for key in keys {
            let lines: Vec<&str> = body.lines().collect();
            let named = |line: &str| {
                let line = line.strip_prefix("# ").unwrap_or(line);
                line.starts_with(&format!("{key} = "))
            };
            let line = lines.iter().position(|line| named(line));
            let line = line.unwrap_or_else(|| panic!("{section}.{key} is not in the example"));
            let above = line.checked_sub(1).map(|line| lines[line]);
            assert!(
                above.is_some_and(|text| text.starts_with("# ")),
                "{section}.{key} is not explained"
            );
        }
    }
}

#[test]
fn what_has_no_default_can_be_set() {
    let text = EXAMPLE
        .replace("mode = \"local\"", "mode = \"fleet\"")
        .replace("# result_key", "result_key")
        .replace("# grace_seconds = 0", "grace_seconds = 90")
        .replace("# group = \"earnest\"", "group = \"sound\"");
    let read = parse(&text).unwrap();
    assert_eq!(
        read.gate.mode,
        Mode::Fleet {
            result_key: "/etc/earnest/result.pem".into(),
            grace: Duration::from_secs(90),
        }
    );
    assert_eq!(read.listen.group, Some(Gid::from_raw(29)));
}

#[test]
fn a_microphone_and_places_for_wyoming_are_taken() {
    let read = parse(
        "[microphone]\ndevice = \"usb\"\nrate_hz = 48000\nwarm = true\n\
         [listen]\nwyoming = [\"unix:/run/w.sock\", \"127.0.0.1:10300\"]",
    );
    let read = read.unwrap();
    let microphone = &read.microphone;
    assert_eq!(microphone.device, "usb".parse().unwrap());
    assert_eq!((microphone.rate, microphone.warm), (Some(48_000), true));
    let places: Vec<String> = read
        .listen
        .wyoming
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(places, ["unix:/run/w.sock", "127.0.0.1:10300"]);
    assert_eq!(parse("").unwrap().microphone.device, DeviceWish::Default);
}

#[test]
fn users_are_taken_by_name_and_by_id() {
    let read = parse("[allow]\napps = [\"ada\", 1000]\noperators = [0]").unwrap();
    assert_eq!(read.allow.apps, [1815, 1000]);
    assert_eq!(read.allow.operators, [0]);
}

#[test]
fn the_size_names_the_package_unless_it_is_told() {
    let base = parse("[model]\nsize = \"base\"").unwrap();
    let expected = Path::new(MODELS_FOLDER).join("moonshine-base-en-int8.earnest");
    assert_eq!(base.model.speech, expected);
    let told = parse("[model]\nspeech = \"/elsewhere\"").unwrap();
    assert_eq!(told.model.speech, Path::new("/elsewhere"));
}

#[test]
fn what_cannot_be_is_refused_with_its_key_and_its_reason() {
    let crowd = format!("[allow]\napps = {:?}", (0..257).collect::<Vec<u32>>());
    let addresses = format!("[listen]\ntls = {:?}", vec!["127.0.0.1:1"; 9]);
    for (text, words) in [
        ("device = 3", &["invalid type"][..]),
        ("[devise]", &["unknown field `devise`", "`device`"]),
        ("[gate]\nmod = 1", &["unknown field `mod`", "`mode`"]),
        (
            "[device]\nfolder = \"here\"",
            &["`device.folder`", "\"here\"", "/"],
        ),
        (
            "[model]\nsize = \"huge\"",
            &["`model.size`", "\"huge\"", "\"tiny\""],
        ),
        ("[model]\nvoice = \"\"", &["`model.voice`"]),
        (
            "[gate]\nmode = \"open\"",
            &["`gate.mode`", "\"open\"", "\"fleet\""],
        ),
        (
            "[gate]\nmode = \"fleet\"",
            &["`gate.result_key`", "missing"],
        ),
        (
            "[gate]\nresult_key = \"/k\"",
            &["`gate.result_key`", "\"local\""],
        ),
        (
            "[gate]\ngrace_seconds = 9",
            &["`gate.grace_seconds`", "\"local\""],
        ),
        (
            "[gate]\ncheck_milliseconds = 1001",
            &["`gate.check_milliseconds`", "1001", "100 to 1000"],
        ),
        (
            "[gate]\ncheck_milliseconds = 0",
            &["`gate.check_milliseconds`", "two seconds"],
        ),
        (
            "[gate]\nself_test_seconds = 1",
            &["`gate.self_test_seconds`"],
        ),
        ("[gate]\nself_test_seconds = -1", &["invalid value"]),
        (
            "[listen]\ntls = [\"0.0.0.0:8473\"]",
            &["`listen.tls`", "0.0.0.0", "not loopback"],
        ),
        (
            "[listen]\ntls = [\"[2001:db8::1]:1\"]",
            &["`listen.tls`", "2001:db8::1", "not loopback"],
        ),
        (
            "[listen]\ntls = [\"localhost:8473\"]",
            &["`listen.tls`", "localhost"],
        ),
        (
            "[listen]\nclear_text = [\"192.168.1.2:80\"]",
            &["`listen.clear_text`", "192.168.1.2"],
        ),
        ("[listen]\nunix = \"sock\"", &["`listen.unix`"]),
        (
            "[listen]\ngroup = \"strangers\"",
            &["`listen.group`", "strangers", "group of this machine"],
        ),
        ("[listen]\ntls = []\nunix = \"\"", &["nobody could ask"]),
        (
            "[listen]\nwyoming = [\"10.0.0.1:10300\"]",
            &["`listen.wyoming`", "10.0.0.1", "not loopback"],
        ),
        ("[listen]\nwyoming = [\"unix:a\"]", &["`listen.wyoming`"]),
        (
            "[microphone]\nsilence_milliseconds = 100",
            &["`microphone.silence_milliseconds`", "200 to 5000"],
        ),
        (
            "[microphone]\nrate_hz = 1",
            &["`microphone.rate_hz`", "8000"],
        ),
        (
            "[microphone]\npre_roll_milliseconds = 60000",
            &["`microphone.pre_roll_milliseconds`", "before anybody asked"],
        ),
        (
            "[microphone]\ndevice = \"a\\nb\"",
            &["`microphone.device`", "cannot be printed"],
        ),
        ("[listen]\nconnections = 0", &["`listen.connections`"]),
        (
            "[listen]\nleaf_hours = 10000",
            &["`listen.leaf_hours`", "short-lived"],
        ),
        (&addresses, &["`listen.tls`", "9 entries", "at most 8"]),
        (
            "[allow]\napps = [\"bob\"]",
            &["`allow.apps`", "bob", "user of this machine"],
        ),
        ("[allow]\noperators = [-1]", &["user"]),
        (
            "[allow]\noperators = [[]]",
            &["a user is a name in quotes or a user id"],
        ),
        (&crowd, &["`allow.apps`", "257 entries"]),
        ("[workers]\nmost = 0", &["`workers.most`"]),
        (
            "[workers]\nwarm = 5",
            &["`workers.warm`", "1 to 4", "`workers.most`"],
        ),
        ("[workers]\nthreads = 0", &["`workers.threads`"]),
        (
            "[workers]\nmemory_megabytes = 1",
            &["`workers.memory_megabytes`"],
        ),
        ("[workers]\nidle_seconds = 0", &["`workers.idle_seconds`"]),
        (
            "[limits]\nupload_megabytes = 2000",
            &["`limits.upload_megabytes`"],
        ),
        (
            "[limits]\nrequest_seconds = 0",
            &["`limits.request_seconds`"],
        ),
        ("[limits]\nquiet_seconds = 0", &["`limits.quiet_seconds`"]),
        ("[limits]\ndrain_seconds = 301", &["`limits.drain_seconds`"]),
        ("[run]\nuser = \"\"", &["`run.user`"]),
        (
            "[run]\nexposed_memory = \"no\"",
            &["`run.exposed_memory`", "\"refuse\""],
        ),
        ("[log]\nformat = \"xml\"", &["`log.format`", "\"json\""]),
        ("[log]\nlevel = \"all\"", &["`log.level`", "\"debug\""]),
        ("[log", &["cannot be read"]),
    ] {
        let error = match parse(text) {
            Ok(_) => panic!("taken: {text}"),
            Err(error) => error.to_string(),
        };
        for word in words {
            assert!(error.contains(word), "{text}: no {word} in: {error}");
        }
    }
}

#[test]
fn a_file_is_read_with_a_bound_and_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnestd.toml");
    let load = || Configuration::load(&path, &accounts());
    assert!(matches!(load(), Err(ConfigurationError::File(_))));
    std::fs::write(&path, [0xff]).unwrap();
    assert!(matches!(load(), Err(ConfigurationError::NotText(_))));
    std::fs::write(&path, "#".repeat(MAX_FILE_BYTES + 1)).unwrap();
    assert!(matches!(load(), Err(ConfigurationError::File(_))));
    std::fs::write(&path, EXAMPLE).unwrap();
    assert_eq!(load().unwrap(), parse(EXAMPLE).unwrap());
}
