pub(crate) fn gather(_: &crate::host::Host) -> crate::source::Gathered { crate::source::Gathered::nothing() }
