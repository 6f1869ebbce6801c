//! Safetensors made of a header and the beginning of their data.

use serde_json::Value;

/// The most bytes of data.
const MOST_BYTES: u64 = 1 << 16;

/// A header, and the data as far as it matters, which is parted from it by a byte of zero.
pub struct Header<'a> {
    /// JSON.
    pub json: &'a [u8],
    /// The first of the data.
    pub data: &'a [u8],
}

impl<'a> Header<'a> {
    /// From the bytes of an input.
    pub fn from_input(input: &'a [u8]) -> Self {
        let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
        Self { json: &input[..end], data: input.get(end + 1..).unwrap_or_default() }
    }

    /// The input that stands for it.
    pub fn to_input(&self) -> Vec<u8> {
        [self.json, &[0], self.data].concat()
    }

    /// The file, whose data is as long as the header says.
    pub fn file(&self) -> Vec<u8> {
        let mut data = crate::arrays::filling(self.length(), 0);
        let given = self.data.len().min(data.len());
        data[..given].copy_from_slice(&self.data[..given]);
        [(self.json.len() as u64).to_le_bytes().as_slice(), self.json, &data].concat()
    }

    /// Where the last tensor ends, by the header.
    fn length(&self) -> usize {
        let Ok(Value::Object(header)) = serde_json::from_slice(self.json) else { return self.data.len() };
        let ends = header.values().filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64());
        ends.max().unwrap_or(0).min(MOST_BYTES) as usize
    }
}
