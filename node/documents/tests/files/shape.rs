//! Shapes and their areas.

use std::f64::consts::PI;

/// Anything with an area.
pub trait Area {
    /// The area in square metres.
    fn area(&self) -> f64;
}

/// A circle.
#[derive(Clone, Copy, Debug)]
pub struct Circle {
    /// Its radius in metres.
    pub radius: f64,
}

impl Circle {
    /// A circle, if the radius is not negative.
    pub fn new(radius: f64) -> Option<Self> {
        (radius >= 0.0).then_some(Self { radius })
    }
}

impl Area for Circle {
    fn area(&self) -> f64 {
        PI * self.radius * self.radius
    }
}

mod round {
    /// How round a thing is.
    pub const ROUNDNESS: f64 = 1.0;
}
