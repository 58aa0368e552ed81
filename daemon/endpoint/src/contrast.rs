//! Holds the colours of a page's style to what can be read, by day and by night (WCAG 2.2,
//! success criterion 1.4.3).

/// The least contrast of text to its ground.
const LEAST: f64 = 4.5;

/// Fails unless every text can be read on its ground, in the scheme for light and in the one for
/// dark. Names are those of the style, which declares `colours` of them in each.
pub(crate) fn check(style: &str, colours: usize, grounds: &[(&str, &str)]) {
    let (light, dark) = style
        .split_once("@media (prefers-color-scheme: dark)")
        .expect("two schemes");
    let dark = dark.split("\n}\n").next().expect("it ends");
    for scheme in [light, dark] {
        let declared = luminances(scheme);
        assert_eq!(declared.len(), colours);
        let luminance = |name| {
            let found = declared.iter().find(|(one, _)| *one == name);
            found.unwrap_or_else(|| panic!("{name} has no colour")).1
        };
        for (text, ground) in grounds {
            let (one, other) = (luminance(*text), luminance(*ground));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= LEAST, "{text} on {ground}: {contrast:.2}");
        }
    }
}

/// The colours of one scheme: their names, and their relative luminances.
fn luminances(scheme: &str) -> Vec<(&str, f64)> {
    let declared = scheme.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
        let channel = |place: usize| {
            let digits = value.get(place..place + 2).expect("six digits");
            let channel = f64::from(u8::from_str_radix(digits, 16).expect("digits")) / 255.0;
            match channel <= 0.04045 {
                true => channel / 12.92,
                false => ((channel + 0.055) / 1.055).powf(2.4),
            }
        };
        let luminance = 0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4);
        Some((name, luminance))
    });
    declared.collect()
}
