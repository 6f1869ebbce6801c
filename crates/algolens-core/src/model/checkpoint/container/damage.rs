//! Damage that programs for text do to files, told after a file could not be read.

/// What was done to a file, if that can be told.
pub(super) fn of(bytes: &[u8]) -> Option<&'static str> {
    /// Once may be chance.
    const ENOUGH: usize = 2;
    // What is text anyway suffers no damage by such programs.
    if !bytes.contains(&0) {
        return None;
    }
    let replaced = bytes.windows(3).filter(|window| window == b"\xef\xbf\xbd").take(ENOUGH).count();
    // The last character may be cut.
    let is_text = std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    if replaced == ENOUGH && is_text {
        return Some(
            "damaged by a text conversion (bytes of 80 and above became EF BF BD, which cannot be undone): \
             get it again, as binary",
        );
    }
    let ends = || bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    if ends().take(ENOUGH).count() == ENOUGH && ends().all(|(at, _)| at > 0 && bytes[at - 1] == b'\r') {
        return Some("damaged by a conversion of line ends (every 0A has become 0D 0A): get it again, as binary");
    }
    None
}
