use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// How many bytes fit without an allocation.
const INLINE: usize = 22;

/// An immutable byte string that is cheap to clone: up to 22 bytes are held in place, longer ones
/// are shared.
///
/// ```
/// use hothouse_abi::Bytes;
/// let short = Bytes::from("ping");
/// assert_eq!(&short[..], b"ping");
/// let long = Bytes::from(vec![7u8; 1000]);
/// assert_eq!(long.clone(), long);
/// ```
#[derive(Clone)]
pub struct Bytes(Repr);

#[derive(Clone)]
enum Repr {
    Inline(Inline),
    Shared(Rc<[u8]>),
}

/// A short string: every one of at most INLINE bytes, with zeroes past its length, so that equal
/// strings have equal representations. All of its 24 bytes are one value, the tag of [`Repr`] too, so
/// that a copy moves whole words.
#[derive(Clone, Copy)]
#[repr(C)]
struct Inline {
    bytes: [u8; INLINE],
    len: u8,
    tag: Tag,
}

/// Leaves all other values of its byte to the enums around.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Tag {
    Inline,
}

impl Inline {
    const fn new(bytes: [u8; INLINE], len: usize) -> Inline {
        Inline { bytes, len: len as u8, tag: Tag::Inline }
    }

    /// The same in three words: the bytes in pieces that lie within those that a copy moves. To read
    /// across them would wait until the copy has left the store buffer.
    #[inline(always)]
    fn words(&self) -> [u64; 3] {
        let at = |i: usize| self.bytes[i];
        let eight = |i| u64::from_le_bytes(std::array::from_fn(|k| at(i + k)));
        let four = u32::from_le_bytes(std::array::from_fn(|k| at(16 + k)));
        let two = u16::from_le_bytes([at(20), at(21)]);
        let last = u64::from(four) | u64::from(two) << 32 | u64::from(self.len) << 48;
        [eight(0), eight(8), last]
    }
}

impl PartialEq for Inline {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c], [d, e, f]) = (self.words(), other.words());
        (a ^ d) | (b ^ e) | (c ^ f) == 0
    }
}

const _: () = assert!(size_of::<Bytes>() == 24);

impl Bytes {
    /// The empty string.
    pub const EMPTY: Bytes = Bytes(Repr::Inline(Inline::new([0; INLINE], 0)));

    /// A short string, made at compile time.
    ///
    /// # Panics
    ///
    /// If `text` is longer than 22 bytes; in a constant, that is a compile error.
    pub const fn short(text: &str) -> Bytes {
        let from = text.as_bytes();
        assert!(from.len() <= INLINE, "at most 22 bytes fit in place");
        let mut to = [0; INLINE];
        let mut i = 0;
        while i < from.len() {
            to[i] = from[i];
            i += 1;
        }
        Bytes(Repr::Inline(Inline::new(to, from.len())))
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(short) => &short.bytes[..short.len as usize],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl Bytes {
    /// Whether it is held in place.
    #[inline]
    pub(crate) const fn is_short(&self) -> bool {
        matches!(self.0, Repr::Inline(..))
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<&[u8]> for Bytes {
    #[inline]
    fn from(from: &[u8]) -> Self {
        if from.len() > INLINE {
            return Bytes(Repr::Shared(from.into()));
        }
        let mut to = [0; INLINE];
        to[..from.len()].copy_from_slice(from);
        Bytes(Repr::Inline(Inline::new(to, from.len())))
    }
}

impl From<&str> for Bytes {
    #[inline]
    fn from(from: &str) -> Self {
        from.as_bytes().into()
    }
}

impl From<String> for Bytes {
    fn from(from: String) -> Self {
        from.as_bytes().into()
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(from: Vec<u8>) -> Self {
        if from.len() > INLINE {
            return Bytes(Repr::Shared(from.into()));
        }
        from.as_slice().into()
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::EMPTY
    }
}

impl PartialEq for Bytes {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Inline(a), Repr::Inline(b)) => a == b,
            (Repr::Shared(a), Repr::Shared(b)) => Rc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

/// A string that is held in place by three words, not byte by byte.
impl Hash for Bytes {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Inline(short) => short.words().iter().for_each(|word| state.write_u64(*word)),
            Repr::Shared(bytes) => bytes.hash(state),
        }
    }
}

/// The text, with bytes that are no UTF-8 shown as `\xNN`.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.utf8_chunks() {
            f.write_str(chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// A name: of an event, of a service, of a process, of a user. Any byte string up to the
/// machine's limit.
///
/// ```
/// use hothouse_abi::Name;
/// const PING: Name = Name::short("ping");
/// assert_eq!(PING, Name::from("ping"));
/// assert_eq!(PING.to_string(), "ping");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Bytes);

impl Name {
    /// A name of at most 22 bytes, made at compile time: the cheapest to send and to match.
    ///
    /// # Panics
    ///
    /// If `text` is longer than 22 bytes; in a constant, that is a compile error.
    pub const fn short(text: &str) -> Name {
        Name(Bytes::short(text))
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether it is held in place.
    #[inline]
    pub(crate) const fn is_short(&self) -> bool {
        self.0.is_short()
    }

    /// Moves the name to another place, without a call if the one there owns nothing, and leaves an
    /// empty one.
    #[inline(always)]
    pub fn move_to(&mut self, to: &mut Name) {
        let name = std::mem::take(self);
        if to.is_short() {
            std::mem::forget(std::mem::replace(to, name));
        } else {
            *to = name;
        }
    }
}

impl std::ops::Deref for Name {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! name_from {
    ($($type:ty),*) => {
        $(impl From<$type> for Name {
            #[inline]
            fn from(from: $type) -> Self {
                Name(from.into())
            }
        })*
    };
}

name_from!(&str, String, &[u8], Vec<u8>, Bytes);

impl From<&Name> for Name {
    #[inline]
    fn from(from: &Name) -> Self {
        from.clone()
    }
}

impl From<Name> for Bytes {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0.as_slice() == other.as_bytes()
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_moved_and_what_was_there_is_dropped() {
        let long = Name::from("a name that does not fit in place");
        let Repr::Shared(bytes) = &long.0.0 else { unreachable!() };
        let (mut place, mut from) = (long.clone(), Name::short("short"));
        from.move_to(&mut place);
        assert_eq!((Rc::strong_count(bytes), &from), (1, &Name::default()));
        assert_eq!(place, Name::short("short"));
        long.clone().move_to(&mut place);
        assert_eq!(place, long);
    }

    #[test]
    fn equality_agrees_with_slices_at_the_inline_boundary() {
        for len in [0, 1, 21, 22, 23, 100] {
            let a = Bytes::from(vec![b'x'; len]);
            let b = Bytes::from(vec![b'x'; len].as_slice());
            assert_eq!(a, b);
            assert_eq!(a.len(), len);
            let mut other = vec![b'x'; len];
            other.push(0);
            assert_ne!(a, Bytes::from(other));
        }
    }

    #[test]
    fn each_byte_counts() {
        let hash = |bytes: &Bytes| {
            let mut hasher = std::hash::DefaultHasher::new();
            bytes.hash(&mut hasher);
            hasher.finish()
        };
        for len in [1, 7, 8, 9, 16, 21, 22, 23, 40] {
            let text: Vec<u8> = (1..=len).collect();
            let a = Bytes::from(text.clone());
            assert_eq!((&a, hash(&a)), (&a.clone(), hash(&text.as_slice().into())));
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 0x80;
                let other = Bytes::from(other);
                assert!(a != other && hash(&a) != hash(&other), "byte {at} of {len}");
            }
        }
    }

    #[test]
    fn display_escapes_what_is_no_text() {
        assert_eq!(Bytes::from(&b"a\xffb"[..]).to_string(), "a\\xffb");
    }
}
