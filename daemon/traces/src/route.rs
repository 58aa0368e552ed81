//! The addresses of the endpoint, as spans name them.

/// Every address that a span can name. A name within a path is its place-holder: which list,
/// which application or which alert it was is not told.
const ROUTES: &[&str] = &[
    "/",
    "/captions",
    "/captions.css",
    "/captions.js",
    "/health",
    "/open",
    "/openapi.json",
    "/status.css",
    "/v1/access-review",
    "/v1/alerts",
    "/v1/alerts/{id}/release",
    "/v1/apps",
    "/v1/apps/{name}",
    "/v1/apps/{name}/certificates",
    "/v1/audio/activity",
    "/v1/audio/stream",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/audit",
    "/v1/audit/export",
    "/v1/audit/verification",
    "/v1/browser-links",
    "/v1/command-lists",
    "/v1/command-lists/{name}",
    "/v1/commands",
    "/v1/keys/rotate",
    "/v1/listen",
    "/v1/listen/commands",
    "/v1/microphone",
    "/v1/microphone/devices",
    "/v1/models",
    "/v1/models/{model}",
    "/v1/operators/confirm",
    "/v1/operators/enrol",
    "/v1/realtime",
    "/v1/report",
    "/v1/status",
    "/v1/token",
    "/v1/token/renew",
];

/// The address that a request was for, out of a closed list. What is on no list has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Route(&'static str);

impl Route {
    /// The route with this template, such as `/v1/models/{model}`, if there is one.
    pub fn of(template: &str) -> Option<Route> {
        let place = ROUTES.binary_search(&template).ok()?;
        ROUTES.get(place).copied().map(Route)
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Route> {
        ROUTES.iter().copied().map(Route)
    }

    /// Its template.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_and_nothing_else() {
        assert!(ROUTES.is_sorted(), "they are searched by halves");
        for route in Route::all() {
            assert_eq!(Route::of(route.name()), Some(route));
        }
        for other in [
            "",
            "/v1",
            "/v1/models/moonshine",
            "/v1/models/",
            "/V1/models",
        ] {
            assert_eq!(Route::of(other), None, "{other:?}");
        }
    }
}
