//! The words of ARENA's monthly challenge of January 2024.

use super::super::Token;

/// Letters; each is the token of its place in the alphabet.
pub(super) const LETTERS: Token = 26;
/// The token of the space behind a word.
pub(super) const SPACE: Token = 26;
/// Characters of a word of three letters with its space.
pub(super) const WORD: usize = 4;

/// The hundred commonest words of three letters of the challenge's novel, with how often each stands there.
#[rustfmt::skip]
pub(super) const WORDS: [(&str, u32); 100] = [
    ("the", 1985), ("and", 963), ("was", 523), ("you", 385), ("his", 291), ("for", 262), ("had", 213), ("but", 151),
    ("all", 136), ("out", 126), ("one", 122), ("are", 112), ("not", 111), ("him", 94), ("can", 68), ("got", 65),
    ("now", 65), ("who", 60), ("two", 57), ("get", 56), ("any", 52), ("see", 50), ("man", 49), ("its", 47),
    ("way", 45), ("old", 45), ("she", 44), ("how", 41), ("off", 41), ("has", 38), ("did", 36), ("few", 34),
    ("our", 31), ("her", 28), ("say", 28), ("why", 27), ("own", 24), ("new", 22), ("air", 22), ("lot", 21),
    ("too", 20), ("put", 20), ("day", 20), ("let", 20), ("sat", 20), ("end", 18), ("sky", 18), ("far", 17),
    ("big", 15), ("may", 15), ("men", 14), ("six", 14), ("bit", 14), ("sea", 12), ("ask", 11), ("lay", 11),
    ("run", 11), ("lie", 10), ("top", 10), ("ten", 10), ("pub", 9), ("cut", 9), ("god", 8), ("set", 8), ("saw", 8),
    ("sun", 8), ("sit", 8), ("use", 8), ("low", 8), ("arm", 7), ("die", 7), ("red", 7), ("odd", 6), ("job", 6),
    ("mud", 6), ("bar", 6), ("pan", 6), ("yet", 6), ("yes", 5), ("try", 5), ("ran", 5), ("hit", 5), ("ill", 5),
    ("beg", 5), ("met", 5), ("bad", 4), ("wet", 4), ("cup", 4), ("hum", 4), ("fit", 4), ("fun", 3), ("dry", 3),
    ("dog", 3), ("nor", 3), ("hot", 3), ("hey", 3), ("eye", 3), ("cop", 3), ("leg", 2), ("fat", 2),
];
