//! Short ways to say what came out.

use std::fmt::Display;

use serde::Serialize;

use crate::{Attachment, Image, InvalidInput, NotPermitted, Outcome, Part, ToolError};

impl Outcome {
    /// A result of one text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::Text(text.into())], data: None, truncated: false }
    }

    /// A result of one image: PNG, JPEG, GIF or WebP.
    pub fn image(media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { parts: Vec::new(), data: None, truncated: false }.with_image(media_type, bytes)
    }

    /// And a text after what is there already.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// And an image: PNG, JPEG, GIF or WebP.
    pub fn with_image(mut self, media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.parts.push(Part::Image(Image { media_type: media_type.into(), bytes }));
        self
    }

    /// And a file that stays where it is, by its path in the workspace and its size.
    pub fn with_file(mut self, path: impl Into<String>, media_type: impl Into<String>, bytes: u64) -> Self {
        let file = Attachment { path: path.into(), media_type: media_type.into(), bytes };
        self.parts.push(Part::File(file));
        self
    }

    /// Says that something was left out. A part should say what, and how to get it.
    pub fn truncated(mut self, truncated: bool) -> Self {
        self.truncated = truncated;
        self
    }

    /// The same for machines. Fails only where `data` has a shape that JSON lacks, so it stands well at the end:
    /// `Outcome::text(…).with_data(&json!({…}))`.
    pub fn with_data(mut self, data: &impl Serialize) -> Result<Self, ToolError> {
        let data = serde_json::to_string(data)
            .map_err(|error| ToolError::failed(format!("the result does not fit JSON: {error}")))?;
        self.data = Some(data);
        Ok(self)
    }
}

impl ToolError {
    /// The tool found out that it cannot do it. Say what was wrong, where, and what to do next.
    pub fn failed(message: impl Display) -> Self {
        Self::Failed(message.to_string())
    }

    /// The value of the input at an RFC 6901 pointer is wrong; nothing was done.
    pub fn invalid(pointer: impl Into<String>, message: impl Display) -> Self {
        Self::InvalidInput(InvalidInput { pointer: pointer.into(), message: message.to_string() })
    }

    /// The grant lacks `power`, for instance `files:write`, which `subject` needs; nothing was done.
    pub fn not_permitted(power: impl Into<String>, subject: impl Into<String>) -> Self {
        Self::NotPermitted(NotPermitted { power: power.into(), subject: subject.into() })
    }
}

impl From<String> for ToolError {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<&str> for ToolError {
    fn from(message: &str) -> Self {
        Self::Failed(message.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_outcome_keeps_its_parts_in_order() {
        let outcome = Outcome::image("image/png", vec![1])
            .with_text("a")
            .with_file("b.txt", "text/plain", 2)
            .truncated(true)
            .with_data(&[1, 2])
            .unwrap();
        assert!(matches!(
            outcome.parts.as_slice(),
            [Part::Image(image), Part::Text(text), Part::File(file)]
                if image.bytes == [1] && text == "a" && file.path == "b.txt" && file.bytes == 2
        ));
        assert_eq!((outcome.data.as_deref(), outcome.truncated), (Some("[1,2]"), true));
    }

    #[test]
    fn data_that_json_lacks_is_an_error() {
        let data = BTreeMap::from([(vec![1], 2)]);
        assert!(matches!(Outcome::text("").with_data(&data), Err(ToolError::Failed(_))));
    }
}
