//! JSON with errors that name the place: which turn, which call, which line.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Turns of a scenario, calls or raw events of a turn. A parsed entry is much larger than the shortest text of one.
pub const LIST_ENTRIES_MAX: usize = 10_000;

/// Exactly one JSON object.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Object(PhantomData).deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// A string, or an array of strings that are its lines.
#[derive(Debug)]
pub struct Lines(pub String);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinesVisitor;
        impl<'de> Visitor<'de> for LinesVisitor {
            type Value = Lines;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E>(self, text: &str) -> Result<Lines, E> {
                Ok(Lines(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lines, A::Error> {
                let mut text = seq.next_element::<String>()?.unwrap_or_default();
                while let Some(line) = seq.next_element::<String>()? {
                    text.push('\n');
                    text.push_str(&line);
                }
                Ok(Lines(text))
            }
        }
        deserializer.deserialize_any(LinesVisitor)
    }
}

/// What an entry of a list is called in errors.
pub trait Entry {
    /// In the singular.
    const NAME: &'static str;
}

/// A JSON object only: what serde derives would take an array for a struct as well.
struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Object<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Entry> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {}s", T::NAME)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut entries = Vec::new();
        loop {
            // serde_json takes line and column over from the message of the inner error.
            let entry = seq
                .next_element_seed(Object(PhantomData::<T>))
                .map_err(|error| A::Error::custom(format!("{} {}: {error}", T::NAME, entries.len() + 1)))?;
            match entry {
                None => return Ok(entries),
                Some(_) if entries.len() == LIST_ENTRIES_MAX => {
                    return Err(A::Error::custom(format!("more than {LIST_ENTRIES_MAX} {}s", T::NAME)));
                }
                Some(entry) => entries.push(entry),
            }
        }
    }
}

/// A list whose errors say which entry they are about.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de> + Entry>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(List(PhantomData))
}

/// The same for a key that may be absent.
pub fn some_list<'de, D: Deserializer<'de>, T: Deserialize<'de> + Entry>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    list(deserializer).map(Some)
}
