//! The interface as its document tells it, tried by a fuzzer that reads the document.

use crate::client::tools;
use crate::earnestd::Earnestd;

/// For how many seconds the interface is tried; `cargo xtask soak contract` sets it.
const SECONDS: &str = "EARNEST_SOAK_SECONDS";

/// Where nothing is set.
const FEW_SECONDS: u64 = 10;

/// Statuses of servers that are to blame, and are documented: all workers of this daemon cannot
/// have failed, and its gate is open.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,\
    allow_header_conformance";

#[test]
fn answers_are_what_the_document_says() {
    let seconds = std::env::var(SECONDS).unwrap_or_else(|_| FEW_SECONDS.to_string());
    let daemon = Earnestd::usual();
    let reports = daemon.sides.text("reports");
    // Everything with a token over TLS, as apps do.
    let script = format!(
        "exec '{tool}' run \"${{OPENAI_BASE_URL%/v1}}/openapi.json\" --tls-verify \"$SSL_CERT_FILE\" \
         --header \"Authorization: Bearer $OPENAI_API_KEY\" --checks {CHECKS} --max-time {seconds} \
         --workers 2 --report junit --report-dir '{reports}' --output-sanitize true",
        tool = tools().join("schemathesis").display(),
    );
    let mut command = daemon.earnest();
    command
        .args(["run", "--app", "contract", "--", "sh", "-c", &script])
        .current_dir(daemon.sides.path("run"));
    let output = command.output().expect("the command is built");
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    println!("{stdout}");
    assert!(output.status.success(), "{stdout}{stderr}");
    // The daemon is none the worse for it.
    assert_eq!(daemon.count("workers_failed"), 0);
    assert_eq!(daemon.count("gate_closed"), 0);
    assert_eq!(daemon.curl().get("/health").status, 200);
}
