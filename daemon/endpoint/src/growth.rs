//! What grows of a text, for protocols that tell what is new of it and take nothing back.

use std::fmt;

/// A text that only grows, and what of it was told.
#[derive(Default)]
pub(crate) struct Growth {
    told: String,
    /// How much of the part under way was told.
    part: String,
}

impl Growth {
    /// What this text adds to the part under way. Nothing where it adds nothing, and where it is
    /// another text altogether, which no worker is let get away with.
    pub(crate) fn grow(&mut self, text: &str) -> Option<String> {
        let new = text.strip_prefix(self.part.as_str())?;
        if new.is_empty() {
            return None;
        }
        // Parts are parted by a space.
        let is_next = self.part.is_empty() && !self.told.is_empty();
        let delta = match is_next {
            true => format!(" {new}"),
            false => new.to_owned(),
        };
        self.told.push_str(&delta);
        self.part.push_str(new);
        Some(delta)
    }

    /// The part under way is whole; what comes is another one.
    pub(crate) fn part(&mut self) {
        self.part.clear();
    }

    /// All that was told.
    pub(crate) fn told(&self) -> &str {
        &self.told
    }
}

/// Without what was said.
impl fmt::Debug for Growth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Growth({} bytes)", self.told.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_parted_and_nothing_is_told_twice() {
        let mut growth = Growth::default();
        assert_eq!(growth.grow(""), None);
        assert_eq!(growth.grow("Hello").as_deref(), Some("Hello"));
        assert_eq!(growth.grow("Hello"), None);
        assert_eq!(growth.grow("Help"), None);
        assert_eq!(growth.grow("Hello, world.").as_deref(), Some(", world."));
        growth.part();
        assert_eq!(growth.grow(""), None);
        growth.part();
        assert_eq!(growth.grow("Good").as_deref(), Some(" Good"));
        assert_eq!(growth.told(), "Hello, world. Good");
        assert!(!format!("{growth:?}").contains("Good"));
    }

    proptest! {
        #[test]
        fn what_was_told_is_the_whole_however_it_grew(
            parts in proptest::collection::vec("[a-zé ]{0,12}", 0..6),
            cuts in proptest::collection::vec(0..12_usize, 0..20),
        ) {
            let mut growth = Growth::default();
            let mut told = String::new();
            for part in &parts {
                let mut cuts: Vec<usize> =
                    cuts.iter().map(|cut| part.floor_char_boundary(*cut)).collect();
                cuts.sort_unstable();
                for cut in cuts {
                    told.extend(growth.grow(&part[..cut]));
                }
                told.extend(growth.grow(part));
                growth.part();
            }
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let whole: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            prop_assert_eq!(&told, &whole.join(" "));
            prop_assert_eq!(growth.told(), told);
        }
    }
}
