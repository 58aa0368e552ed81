//! DER (ITU-T X.690), as far as certificates need it: definite lengths, one-byte tags.

/// Tags of the types that certificates are made of (X.690, 8.1.2, and X.680).
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    pub(crate) const CONTEXT_0: u8 = 0xa0;
    pub(crate) const CONTEXT_3: u8 = 0xa3;
    pub(crate) const CONTEXT_4: u8 = 0xa4;
}

/// One element: its tag, its content, and all its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'b> {
    pub(crate) tag: u8,
    pub(crate) content: &'b [u8],
    pub(crate) whole: &'b [u8],
}

/// Elements one behind the other, taken from the front. `None` stands for bytes that are no
/// DER or not the element asked for: the caller knows what it looked for, and says so.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'b>(&'b [u8]);

impl<'b> Elements<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Elements<'b> {
        Elements(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Option<Element<'b>> {
        let (&tag, after_tag) = self.0.split_first()?;
        // A tag number of 31 and more goes on in the next byte; certificates have none.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, content) = length(after_tag)?;
        let (content, rest) = content.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some(Element {
            tag,
            content,
            whole,
        })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<Element<'b>> {
        let mut ahead = self.clone();
        let element = ahead.any().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element)
    }

    /// What is inside the next element, which must have this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Elements<'b>> {
        self.expect(tag)
            .map(|element| Elements::new(element.content))
    }

    /// Goes past the next element if it has this tag.
    pub(crate) fn skip(&mut self, tag: u8) {
        // It is optional, so that its absence is no failure.
        let _ = self.expect(tag);
    }
}

/// The length at the front of `bytes`, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let digits = usize::from(first & 0x7f);
    // Zero digits would be an indefinite length. Three hold 16 MB, more than any certificate.
    if !(1..=3).contains(&digits) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(digits)?;
    let length = digits
        .iter()
        .fold(0, |length, digit| length << 8 | usize::from(*digit));
    // DER takes the shortest form, so that one value has one spelling.
    let shortest = digits.first() != Some(&0) && length >= 0x80;
    shortest.then_some((length, rest))
}

/// The bytes of a non-negative INTEGER, without the zero that marks it as such.
pub(crate) fn unsigned<'b>(element: &Element<'b>) -> Option<&'b [u8]> {
    match element.content {
        [0, second, ..] if *second < 0x80 => None,
        [0] | [] => None,
        [0, rest @ ..] => Some(rest),
        [first, ..] if *first >= 0x80 => None,
        bytes => Some(bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_shortest_form_of_a_length_is_taken() {
        let check = |bytes: &[u8], content: Option<usize>| {
            let mut padded = bytes.to_vec();
            padded.resize(bytes.len() + 300, 0);
            let found = Elements::new(&padded).any();
            assert_eq!(
                found.map(|element| element.content.len()),
                content,
                "{bytes:02x?}"
            );
        };
        check(&[0x04, 0x05], Some(5));
        check(&[0x04, 0x81, 0x80], Some(128));
        check(&[0x04, 0x82, 0x01, 0x00], Some(256));
        check(&[0x04, 0x81, 0x7f], None);
        check(&[0x04, 0x82, 0x00, 0x80], None);
        check(&[0x04, 0x80], None);
        check(&[0x04, 0x84, 0, 0, 1, 0], None);
        check(&[0x1f, 0x01], None);
        check(&[0x04, 0x82, 0xff, 0xff], None);
    }

    #[test]
    fn a_negative_or_padded_integer_is_no_unsigned_one() {
        let check = |content: &[u8], expected: Option<&[u8]>| {
            let whole = [&[tag::INTEGER, content.len() as u8], content].concat();
            let element = Elements::new(&whole).expect(tag::INTEGER).unwrap();
            assert_eq!(unsigned(&element), expected, "{content:02x?}");
        };
        check(&[1, 0, 1], Some(&[1, 0, 1]));
        check(&[0, 0x80], Some(&[0x80]));
        check(&[0, 0x7f], None);
        check(&[0x80], None);
        check(&[0], None);
        check(&[], None);
    }

    proptest! {
        #[test]
        fn elements_of_any_bytes_are_within_them(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut elements = Elements::new(&bytes);
            let mut taken = 0;
            while let Some(element) = elements.any() {
                taken += element.whole.len();
                prop_assert!(element.whole.ends_with(element.content));
                prop_assert!(element.whole.len() >= 2);
            }
            prop_assert!(taken <= bytes.len());
        }
    }
}
