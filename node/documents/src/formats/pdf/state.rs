//! Where the next text is drawn, and how.

use lopdf::Object;

use super::font::Shown;
use super::matrix::Matrix;

/// States that are kept with `q`; more are not needed to find a line's end.
const KEPT_MAX: usize = 64;

/// What operations have set. `F` is a font.
pub struct State<F> {
    page: Matrix,
    kept: Vec<(Matrix, Text<F>)>,
    text: Text<F>,
    /// Where the text and the line start.
    at: Matrix,
    line: Matrix,
}

#[derive(Clone)]
struct Text<F> {
    font: Option<F>,
    size: f32,
    between_characters: f32,
    between_words: f32,
    stretch: f32,
    leading: f32,
}

impl<F: Clone> State<F> {
    pub fn new(page: Matrix) -> Self {
        let text = Text {
            font: None,
            size: 1.0,
            between_characters: 0.0,
            between_words: 0.0,
            stretch: 1.0,
            leading: 0.0,
        };
        Self { page, kept: vec![], text, at: Matrix::IDENTITY, line: Matrix::IDENTITY }
    }

    /// Where the page or form lies now.
    pub fn page(&self) -> Matrix {
        self.page
    }

    pub fn font(&self) -> Option<&F> {
        self.text.font.as_ref()
    }

    pub fn set_font(&mut self, font: Option<F>, size: Option<&Object>) {
        self.text.font = font;
        self.text.size = size.and_then(|size| size.as_float().ok()).unwrap_or(1.0);
    }

    /// Where the next character starts.
    pub fn place(&self) -> (f32, f32) {
        self.at.then(self.page).origin()
    }

    /// How high text is on the page.
    pub fn height(&self) -> f32 {
        self.text.size * self.at.then(self.page).height()
    }

    pub fn next_line(&mut self) {
        self.go_line(0.0, -self.text.leading);
    }

    /// Goes back by thousandths of the text's size.
    pub fn go_back(&mut self, thousandths: f32) {
        self.go(-thousandths / 1000.0 * self.text.size * self.text.stretch);
    }

    /// Goes behind what was shown.
    pub fn advance(&mut self, shown: &Shown) {
        let text = &self.text;
        let between = f32::from(shown.codes) * text.between_characters
            + f32::from(shown.spaces) * text.between_words;
        self.go((shown.width * text.size + between) * text.stretch);
    }

    /// An operation that shows nothing; unknown ones change nothing.
    pub fn set(&mut self, operator: &str, operands: &[Object]) {
        let number = |index: usize| {
            let number = operands.get(index).and_then(|number| number.as_float().ok());
            number.unwrap_or(0.0)
        };
        let matrix = || Matrix(std::array::from_fn(number));
        match operator {
            "q" if self.kept.len() < KEPT_MAX => self.kept.push((self.page, self.text.clone())),
            "Q" => self.restore(),
            "cm" => self.page = matrix().then(self.page),
            "BT" => (self.at, self.line) = (Matrix::IDENTITY, Matrix::IDENTITY),
            "Tm" => (self.at, self.line) = (matrix(), matrix()),
            "Td" => self.go_line(number(0), number(1)),
            "TD" => {
                self.text.leading = -number(1);
                self.go_line(number(0), number(1));
            }
            "T*" => self.next_line(),
            "TL" => self.text.leading = number(0),
            "Tc" => self.text.between_characters = number(0),
            "Tw" => self.text.between_words = number(0),
            "Tz" => self.text.stretch = number(0) / 100.0,
            _ => {}
        }
    }

    fn restore(&mut self) {
        if let Some((page, text)) = self.kept.pop() {
            (self.page, self.text) = (page, text);
        }
    }

    fn go(&mut self, x: f32) {
        self.at = Matrix::shift(x, 0.0).then(self.at);
    }

    fn go_line(&mut self, x: f32, y: f32) {
        self.line = Matrix::shift(x, y).then(self.line);
        self.at = self.line;
    }
}
