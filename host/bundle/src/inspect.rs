//! Reading one component.

use crate::Error;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use wasmparser::{BinaryReaderError, Encoding, KnownCustom, Parser, Payload, Validator, WasmFeatures};

/// What a component says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Lowercase hex SHA-256 of the bytes.
    pub digest: String,
    /// Number of bytes.
    pub bytes: u64,
    /// Names of what it needs, in its own order. These are all the powers it can ever use.
    pub imports: Vec<String>,
    /// Names of what it offers, in its own order.
    pub exports: Vec<String>,
    /// The tools that made it and its parts, as `field: name version`, sorted. A claim, not a proof.
    pub producers: Vec<String>,
}

/// Lowercase hex SHA-256: the name of these bytes.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Checks that the bytes are a component that obeys all rules of WebAssembly.
pub fn validate(bytes: &[u8]) -> Result<(), Error> {
    component_encoding(bytes)?;
    Validator::new_with_features(features()).validate_all(bytes)?;
    Ok(())
}

/// Validates a component and lists what stands at its outermost level.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Error> {
    validate(bytes)?;
    let mut inspection = Inspection {
        digest: digest(bytes),
        bytes: bytes.len() as u64,
        imports: Vec::new(),
        exports: Vec::new(),
        producers: Vec::new(),
    };
    // `parse_all` walks into nested modules and components too; only the outermost names are the component's own.
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    inspection.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    inspection.exports.push(export?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(fields) = section.as_known() {
                    // Nobody checks custom sections: one that makes no sense says nothing.
                    let _ = read_producers(fields, &mut inspection.producers);
                }
            }
            _ => {}
        }
    }
    inspection.producers.sort();
    inspection.producers.dedup();
    Ok(inspection)
}

fn features() -> WasmFeatures {
    WasmFeatures::default() | WasmFeatures::COMPONENT_MODEL
}

fn component_encoding(bytes: &[u8]) -> Result<(), Error> {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => Err(Error::CoreModule),
        Some(Err(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

fn read_producers(
    fields: wasmparser::ProducersSectionReader<'_>,
    into: &mut Vec<String>,
) -> Result<(), BinaryReaderError> {
    for field in fields {
        let field = field?;
        for value in field.values {
            let value = value?;
            into.push(format!("{}: {} {}", field.name, value.name, value.version).trim_end().to_owned());
        }
    }
    Ok(())
}

impl From<BinaryReaderError> for Error {
    fn from(error: BinaryReaderError) -> Self {
        Error::Invalid { message: error.message().to_owned(), offset: error.offset() as usize }
    }
}
