//! What a value looks like, as far as expressions can ask for it.

/// The kind of a value, or of a part of it.
#[derive(Debug)]
pub enum Shape {
    Text,
    Flag,
    Whole,
    Number,
    List(&'static Shape),
    /// Keys that are not known before, all of one kind.
    Map(&'static Shape),
    Object(&'static [(&'static str, Shape)]),
}

impl Shape {
    /// The shape of what a path leads to. A list is passed through: what is said is said of each of its elements.
    ///
    /// An error is the number of the part that leads nowhere.
    pub(crate) fn follow(&'static self, path: &[String]) -> Result<&'static Shape, usize> {
        let mut shape = self;
        let mut at = 0;
        while at < path.len() {
            shape = match shape {
                Shape::List(element) => {
                    shape = element;
                    continue;
                }
                Shape::Map(value) => value,
                Shape::Object(fields) => {
                    let known = fields.iter().find(|(name, _)| *name == path[at]);
                    &known.ok_or(at)?.1
                }
                Shape::Text | Shape::Flag | Shape::Whole | Shape::Number => return Err(at),
            };
            at += 1;
        }
        Ok(shape)
    }

    /// What there is to choose from, for an error's text.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        match self {
            Shape::List(element) => element.names(),
            Shape::Object(fields) => fields.iter().map(|(name, _)| *name).collect(),
            Shape::Text | Shape::Flag | Shape::Whole | Shape::Number | Shape::Map(_) => Vec::new(),
        }
    }
}
