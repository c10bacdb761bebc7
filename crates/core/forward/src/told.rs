//! What a service is told of a request beside its headers: over which way it has come, and by which names it is known.
//!
//! It is kept apart from the headers that came. Most of it is the same for every request of a connection, and what is made for
//! one request alone is written and forgotten: neither is worth a place in a map.

use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// A name and what it says.
pub type Field = (HeaderName, HeaderValue);

/// None of these names is among the headers, but for `Via`, which goes on behind what is there.
#[derive(Clone, Debug)]
pub struct Told {
    /// The same for the next request, most of the time.
    pub(crate) way: Rc<[Field]>,
    /// Of this request alone.
    pub(crate) names: Vec<Field>,
}

impl Told {
    /// All of it, to be written behind the headers.
    pub fn fields(&self) -> [&[Field]; 2] {
        [&self.way, &self.names]
    }

    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let mut fields = self.way.iter().chain(&self.names);
        fields.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Puts it in, for whoever has nothing but headers.
    pub fn put(&self, headers: &mut HeaderMap) {
        for (name, value) in self.way.iter() {
            headers.append(name.clone(), value.clone());
        }
        for (name, value) in &self.names {
            let mut value = value.clone();
            // It never comes a second time: HTTP/2 has no use in remembering it.
            value.set_sensitive(true);
            headers.append(name.clone(), value);
        }
    }
}
