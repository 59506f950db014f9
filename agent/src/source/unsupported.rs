//! What a source says on a system it does not know yet.

use rollcall_shared::{Note, NoteKind};

use crate::host::Host;
use crate::source::Gathered;

/// Nothing, and that it cannot look here.
pub(crate) fn gather(_: &Host) -> Gathered {
    Gathered::absent(Note::new(NoteKind::Unsupported))
}
