//! What two sets of reference values differ in.

use std::collections::BTreeSet;
use std::fmt;

use earnest_evidence::HashAlgorithm;

use super::{PcrReference, ReferenceValues, StartReference};

/// One thing that two sets differ in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// They are of two banks, and nothing else of them can be compared.
    Bank {
        /// The first set's.
        before: HashAlgorithm,
        /// The second set's.
        after: HashAlgorithm,
    },
    /// Only one of them has it.
    Removed {
        /// Where it stands: "PCR 4 value", "start's version".
        place: String,
        /// What it is.
        item: String,
    },
    /// Only the second of them has it.
    Added {
        /// Where it stands.
        place: String,
        /// What it is.
        item: String,
    },
}

impl fmt::Display for Difference {
    /// As `diff` writes it: a sign, the place, the item.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Bank { before, after } => {
                write!(formatter, "the banks differ: {before} and {after}")
            }
            Difference::Removed { place, item } => write!(formatter, "- {place}: {item}"),
            Difference::Added { place, item } => write!(formatter, "+ {place}: {item}"),
        }
    }
}

impl ReferenceValues {
    /// What `after` takes away from these and what it adds, place by place. Names do not count.
    pub fn diff(&self, after: &ReferenceValues) -> Vec<Difference> {
        if self.bank != after.bank {
            return vec![Difference::Bank {
                before: self.bank,
                after: after.bank,
            }];
        }
        let (before, after) = (self.items(), after.items());
        let removed = before.difference(&after);
        let added = after.difference(&before);
        let mut all: Vec<(&(String, String), bool)> = removed
            .map(|item| (item, false))
            .chain(added.map(|item| (item, true)))
            .collect();
        all.sort();
        all.into_iter()
            .map(|((place, item), is_added)| {
                let (place, item) = (place.clone(), item.clone());
                match is_added {
                    true => Difference::Added { place, item },
                    false => Difference::Removed { place, item },
                }
            })
            .collect()
    }

    /// Everything that is allowed: its place, and what it is.
    fn items(&self) -> BTreeSet<(String, String)> {
        let mut items = BTreeSet::new();
        for (pcr, PcrReference { values, events }) in &self.pcrs {
            for allowed in values {
                let place = format!("PCR {pcr:2} value");
                items.insert((place, allowed.value.to_string()));
                for (number, event) in allowed.events.iter().enumerate() {
                    let place = format!("PCR {pcr:2} event {number:3}");
                    items.insert((place, event.to_string()));
                }
            }
            for event in events {
                items.insert((format!("PCR {pcr:2} any event"), event.to_string()));
            }
        }
        if let Some(starts) = &self.starts {
            starts.items(&mut items);
        }
        items
    }
}

impl StartReference {
    fn items(&self, items: &mut BTreeSet<(String, String)>) {
        let mut insert = |place: &str, item: String| items.insert((place.to_owned(), item));
        for configuration in &self.configurations {
            insert("start's configuration", configuration.to_string());
        }
        for model in &self.models {
            insert("start's model", model.to_string());
        }
        if self.without_model {
            insert("start's model", "none".to_owned());
        }
        for version in &self.versions {
            insert("start's version", version.clone());
        }
        insert("start's least sandbox", self.least_sandbox.to_string());
    }
}
