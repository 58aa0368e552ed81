//! Bytes taken from the front of a slice, each taking checked, each failure with its offset.

/// The input ends before a field does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}, {field} takes {expected} bytes, but {found} are left")]
pub struct Truncated {
    /// Which field.
    pub field: &'static str,
    /// Where it starts, in bytes from the start of the input.
    pub offset: usize,
    /// Bytes that it takes.
    pub expected: usize,
    /// Bytes that are left.
    pub found: usize,
}

/// A place in a slice, moving forward only.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    offset: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { bytes, offset: 0 }
    }

    /// Bytes taken so far.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// What is left, without taking it.
    pub(crate) fn rest(&self) -> &'b [u8] {
        // The offset never passes the end: only `take` moves it, by what it found.
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    pub(crate) fn take(
        &mut self,
        field: &'static str,
        length: usize,
    ) -> Result<&'b [u8], Truncated> {
        let taken = self.rest().get(..length).ok_or(Truncated {
            field,
            offset: self.offset,
            expected: length,
            found: self.left(),
        })?;
        self.offset += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], Truncated> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Truncated> {
        self.array(field).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, Truncated> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Truncated> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, Truncated> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(crate) fn u16_le(&mut self, field: &'static str) -> Result<u16, Truncated> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(crate) fn u32_le(&mut self, field: &'static str) -> Result<u32, Truncated> {
        self.array(field).map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_its_place() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16("a"), Ok(0x0102));
        let truncated = Truncated {
            field: "b",
            offset: 2,
            expected: 4,
            found: 1,
        };
        assert_eq!(reader.u32("b"), Err(truncated));
        assert_eq!(reader.rest(), [3], "a failed taking takes nothing");
        assert_eq!(reader.take("c", usize::MAX).unwrap_err().found, 1);
    }
}
