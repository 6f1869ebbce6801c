//! The colours of a page in its light theme.

use crate::chart::{Hue, Scale};
use algolens::interpret::Verdict;
use plotters::style::{RGBAColor, RGBColor};

pub(super) const INK: RGBColor = RGBColor(0x1b, 0x1e, 0x24);
pub(super) const SOFT: RGBColor = RGBColor(0x55, 0x5c, 0x68);
pub(super) const RULE: RGBColor = RGBColor(0xdc, 0xdf, 0xe4);
pub(super) const BLANK: RGBColor = RGBColor(0xe4, 0xe6, 0xea);
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub(super) const WRONG: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

/// Okabe and Ito's colours, which also the colour-blind tell apart.
const HEADS: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xf0, 0xe4, 0x42),
    RGBColor(0x00, 0x00, 0x00),
];
const SERIES: [RGBColor; 4] =
    [RGBColor(0x3b, 0x46, 0x58), RGBColor(0x7b, 0x4f, 0xa3), RGBColor(0x8a, 0x8f, 0x98), RGBColor(0x76, 0x70, 0x1a)];

/// Colours at shares of a scale, ascending; between them they are mixed.
type Ramp = [(f32, RGBColor)];

const DIVERGING: &Ramp = &[
    (0.0, RGBColor(0x08, 0x51, 0x9c)),
    (0.25, RGBColor(0x6b, 0xae, 0xd6)),
    (0.45, RGBColor(0xe3, 0xee, 0xf8)),
    (0.5, RGBColor(0xff, 0xff, 0xff)),
    (0.55, RGBColor(0xfd, 0xe9, 0xe2)),
    (0.75, RGBColor(0xf2, 0x7e, 0x63)),
    (1.0, RGBColor(0xa5, 0x0f, 0x15)),
];
const CIVIDIS: &Ramp = &[
    (0.0, RGBColor(0, 32, 76)),
    (0.058824, RGBColor(0, 42, 102)),
    (0.117647, RGBColor(0, 52, 110)),
    (0.176471, RGBColor(39, 63, 108)),
    (0.235294, RGBColor(60, 74, 107)),
    (0.294118, RGBColor(76, 85, 107)),
    (0.352941, RGBColor(91, 95, 109)),
    (0.411765, RGBColor(104, 106, 112)),
    (0.470588, RGBColor(117, 117, 117)),
    (0.529412, RGBColor(131, 129, 120)),
    (0.588235, RGBColor(146, 140, 120)),
    (0.647059, RGBColor(161, 152, 118)),
    (0.705882, RGBColor(176, 165, 114)),
    (0.764706, RGBColor(192, 177, 109)),
    (0.823529, RGBColor(209, 191, 102)),
    (0.882353, RGBColor(225, 204, 92)),
    (0.941176, RGBColor(243, 219, 79)),
    (1.0, RGBColor(255, 233, 69)),
];
const REFUTED: &Ramp = &[
    (0.0, RGBColor(0xfd, 0xd9, 0xb8)),
    (0.45, RGBColor(0xfd, 0xae, 0x6b)),
    (0.75, RGBColor(0xe6, 0x55, 0x0d)),
    (1.0, RGBColor(0x7f, 0x27, 0x04)),
];

impl Hue {
    pub(super) fn colour(self) -> RGBColor {
        match self {
            Self::Head(head) => HEADS[head % HEADS.len()],
            Self::Series(series) => SERIES[series % SERIES.len()],
            Self::Certified => RGBColor(0x5a, 0xb4, 0xac),
            Self::Refuted => RGBColor(0xe6, 0x55, 0x0d),
            Self::Undecided => RGBColor(0x55, 0x60, 0x6f),
            Self::Verdict(Verdict::Holds) => RGBColor(0x00, 0x78, 0x5a),
            Self::Verdict(Verdict::HoldsAsControl) => HEADS[0],
            Self::Verdict(Verdict::Partly) => HEADS[4],
            Self::Verdict(Verdict::Fails) => WRONG,
            Self::Verdict(Verdict::NotAsked) => RGBColor(0x8a, 0x8f, 0x98),
        }
    }
}

impl Scale {
    /// The numbers at its ends; none if it is no scale to read numbers from.
    pub(super) fn ends(self) -> Option<[f32; 2]> {
        match self {
            Self::Signed(limit) => Some([-limit, limit]),
            Self::Weights(limit) => Some([0.0, limit]),
            Self::Probability => Some([0.0, 1.0]),
            Self::Unproved => Some([-6.0, 0.0]),
            Self::Tint(_) => None,
        }
    }

    /// The colour of a number.
    pub(super) fn colour(self, number: f32) -> RGBAColor {
        let [low, high] = self.ends().unwrap_or([0.0, 1.0]);
        let share = ((number - low) / (high - low)).clamp(0.0, 1.0);
        let RGBColor(red, green, blue) = match self {
            Self::Signed(_) => mixed(DIVERGING, share),
            Self::Weights(_) => mixed(DIVERGING, 0.5 + share / 2.0),
            Self::Probability => mixed(CIVIDIS, share),
            Self::Unproved => mixed(REFUTED, share),
            Self::Tint(hue) => hue.colour(),
        };
        // In hundredths, so that what looks alike is drawn as one.
        let opacity = if matches!(self, Self::Tint(_)) { f64::from((100.0 * share).round()) / 100.0 } else { 1.0 };
        RGBAColor(red, green, blue, opacity)
    }
}

fn mixed(ramp: &Ramp, share: f32) -> RGBColor {
    let above = ramp.iter().position(|(at, _)| *at >= share).unwrap_or(ramp.len() - 1);
    let ((low, from), (high, to)) = (ramp[above.saturating_sub(1)], ramp[above]);
    let part = if high > low { (share - low) / (high - low) } else { 1.0 };
    let mix = |a: u8, b: u8| (f32::from(a) + part * (f32::from(b) - f32::from(a))).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_in_their_colours_and_go_through_white_at_zero() {
        let colour = |scale: Scale, number| {
            let RGBAColor(red, green, blue, opacity) = scale.colour(number);
            (red, green, blue, opacity)
        };
        let signed = Scale::Signed(2.0);
        assert_eq!(colour(signed, 0.0), (255, 255, 255, 1.0));
        assert_eq!((colour(signed, -2.0), colour(signed, 9.0)), ((8, 81, 156, 1.0), (165, 15, 21, 1.0)));
        assert_eq!(colour(signed, -1.0), (0x6b, 0xae, 0xd6, 1.0));
        assert_eq!(
            (colour(Scale::Weights(2.0), 0.0), colour(Scale::Weights(2.0), 2.0)),
            ((255, 255, 255, 1.0), (165, 15, 21, 1.0))
        );
        assert_eq!(
            (colour(Scale::Probability, 0.0), colour(Scale::Probability, 1.0)),
            ((0, 32, 76, 1.0), (255, 233, 69, 1.0))
        );
        assert_eq!(colour(Scale::Tint(Hue::Head(0)), 0.25), (0, 0x72, 0xb2, 0.25));
        assert_eq!(colour(Scale::Unproved, 0.0), (0x7f, 0x27, 0x04, 1.0));
    }
}
