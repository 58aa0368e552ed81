//! Closed lists of words.

/// Declares an enum whose variants have a name each: the same in JSON, in text and in
/// [`name`](crate::GateState::name). `ALL` holds every variant, so that tests and reports can
/// go through them.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $words:ident {
            $($(#[$meaning:meta])* $word:ident = $name:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $words {
            $($(#[$meaning])* #[serde(rename = $name)] $word,)+
        }

        impl $words {
            /// Every one of them.
            pub const ALL: &[$words] = &[$($words::$word),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $($words::$word => $name,)+
                }
            }

            /// The one of this name, if there is one.
            pub fn named(name: &str) -> Option<$words> {
                $words::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl std::fmt::Display for $words {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }
    };
}

pub(crate) use words;
