//! The document around the sections.

use super::PageState;
use super::html::Html;
use super::microphone::microphone;
use super::sections;
use super::verdict::{Verdict, proven_until, verdict};
use super::words::{Span, Utc};

/// The page's `Content-Security-Policy`: one style of this origin, and nothing else of anywhere.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'none'; \
                                      frame-ancestors 'none'; base-uri 'none'";

/// The page's style, which `GET /status.css` answers with.
pub(crate) const STYLE: &str = include_str!("status.css");

/// The page.
pub(crate) fn render(state: &PageState) -> String {
    let (word, reasons) = verdict(state);
    let mut html = Html::default();
    html.markup(concat!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta name=\"color-scheme\" content=\"light dark\">\n",
        // A page without a script is renewed by the browser itself.
        "<meta http-equiv=\"refresh\" content=\"10\">\n",
    ));
    let device = state.device.as_deref().unwrap_or("this device");
    html.markup("<title>")
        .text(word.words())
        .markup(" · ")
        .text(device)
        .markup(" · Earnest</title>\n");
    html.markup("<link rel=\"stylesheet\" href=\"/status.css\">\n</head>\n<body>\n");
    header(&mut html, state, device);
    html.markup("<main>\n");
    banner(&mut html, state, word, &reasons);
    sections::alerts(&mut html, state);
    sections::refusals(&mut html, state);
    sections::gate(&mut html, state);
    sections::load(&mut html, state);
    microphone(&mut html, state);
    sections::apps(&mut html, state);
    sections::events(&mut html, state);
    html.markup("</main>\n");
    footer(&mut html, state);
    html.markup("</body>\n</html>\n");
    html.finish()
}

fn header(html: &mut Html, state: &PageState, device: &str) {
    html.markup("<header>\n<p class=\"name\"><b>Earnest</b> <span>")
        .text(device)
        .markup("</span></p>\n<p class=\"when\">")
        .text(Utc(state.wall))
        .markup("</p>\n</header>\n");
}

/// The verdict: in colour, in a sign, and in a word.
fn banner(html: &mut Html, state: &PageState, word: Verdict, reasons: &[String]) {
    html.markup(match word {
        Verdict::Open => "<section class=\"verdict open\">\n",
        Verdict::Attention => "<section class=\"verdict attention\">\n",
        Verdict::Closed => "<section class=\"verdict closed\">\n",
    });
    html.markup(match word {
        Verdict::Open => "<h1><span class=\"sign\" aria-hidden=\"true\">✓</span>",
        Verdict::Attention => "<h1><span class=\"sign\" aria-hidden=\"true\">!</span>",
        Verdict::Closed => "<h1><span class=\"sign\" aria-hidden=\"true\">✕</span>",
    });
    html.text(word.words()).markup("</h1>\n");
    if let Some(until) = proven_until(state) {
        html.markup("<p>").text(match word {
            Verdict::Attention => "Requests are served; proven ",
            _ => "Proven ",
        });
        html.text(until).markup(".</p>\n");
    }
    if !reasons.is_empty() {
        html.markup("<ul>\n");
        for reason in reasons {
            html.element("<li>", reason, "</li>\n");
        }
        html.markup("</ul>\n");
    }
    html.markup("</section>\n");
}

fn footer(html: &mut Html, state: &PageState) {
    html.markup("<footer>\n<p>earnestd ")
        .text(&state.version)
        .markup(" · ")
        .text(&state.model)
        .markup(" · up for ")
        .text(Span(state.uptime))
        .markup(
            " · renewed every 10 s</p>\n\
             <p>No sound and no text is kept, and none is on this page.</p>\n</footer>\n",
        );
}
