//! A reader of DER, as far as certificates need it: tags of one byte, lengths that are told.

/// Elements one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    /// What is inside.
    pub(super) content: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

impl<'a> Der<'a> {
    /// The next element; nothing at the end and where the bytes make no sense.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let tag = *self.0.first()?;
        // Tags of several bytes stand nowhere in a certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let first = *self.0.get(1)?;
        let (length, head) = if first < 0x80 {
            (usize::from(first), 2)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 3 {
                return None;
            }
            let digits = self.0.get(2..2 + count)?;
            (digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + count)
        };
        let whole = self.0.get(..head + length)?;
        self.0 = self.0.get(head + length..)?;
        Some(Element { tag, content: whole.get(head..)?, whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The next element if it has this tag; else nothing is taken.
    pub(super) fn maybe(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.0.first() == Some(&tag) { self.next() } else { None }
    }
}

impl<'a> Element<'a> {
    /// What lies inside, as elements.
    pub(super) fn inside(self) -> Der<'a> {
        Der(self.content)
    }

    /// An object identifier with dots, e.g. `2.5.4.3`.
    pub(super) fn object(self) -> Option<String> {
        if self.tag != OBJECT || self.content.is_empty() {
            return None;
        }
        let mut parts = Vec::new();
        let mut value = 0_u64;
        for byte in self.content {
            value = value.checked_mul(128)? | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                parts.push(std::mem::take(&mut value));
            }
        }
        let first = *parts.first()?;
        let (one, two) = if first < 80 { (first / 40, first % 40) } else { (2, first - 80) };
        let mut text = format!("{one}.{two}");
        for part in parts.get(1..)? {
            text.push('.');
            text.push_str(&part.to_string());
        }
        Some(text)
    }

    /// A text in any of the ways that certificates write it.
    pub(super) fn text(self) -> Option<String> {
        let text = match self.tag {
            // UTF-8, numbers, printable, IA5, visible.
            0x0c | 0x12 | 0x13 | 0x16 | 0x1a => String::from_utf8_lossy(self.content).into_owned(),
            0x14 => self.content.iter().map(|byte| char::from(*byte)).collect(),
            0x1e => {
                let units =
                    self.content.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
                char::decode_utf16(units).map(|it| it.unwrap_or('\u{fffd}')).collect()
            }
            _ => return None,
        };
        Some(text)
    }

    /// How many bits a number has that are not leading zeros.
    pub(super) fn bits(self) -> Option<u32> {
        let start = self.content.iter().position(|byte| *byte != 0)?;
        let rest = self.content.get(start..)?;
        let bits = u32::try_from(rest.len()).ok()?.checked_mul(8)?;
        Some(bits - rest.first()?.leading_zeros())
    }
}
