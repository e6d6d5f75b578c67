//! The network policy: what may be asked of whom, decided at every hop by the same bytes under every host.
//!
//! Denies by default. Computes and nothing else: it imports nothing, so that it can neither leak nor wait.

mod address;
mod decide;
mod headers;
mod options;
mod pattern;
mod place;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use exports::wardian::netfetch::policy::{
    self, Abilities, Decision, Denial, Guest, GuestPolicy, Invalid, Limits, Options, Request,
};

wit_bindgen::generate!({
    inline: "
        package wardian:netfetch-component;
        world netfetch-component {
            export wardian:netfetch/policy@0.1.0;
        }
    ",
    path: ["../../wit/wardian-netfetch"],
    world: "wardian:netfetch-component/netfetch-component",
    generate_all,
    additional_derives: [Clone, PartialEq],
});

struct Netfetch;
export!(Netfetch);

impl Guest for Netfetch {
    type Policy = RefCell<decide::Policy>;
}

impl GuestPolicy for RefCell<decide::Policy> {
    fn make(options: Options, abilities: Abilities) -> Result<policy::Policy, Invalid> {
        decide::Policy::new(options, abilities).map(|made| policy::Policy::new(RefCell::new(made)))
    }

    fn limits(&self) -> Limits {
        self.borrow().limits()
    }

    fn decide(&self, request: Request) -> Decision {
        self.borrow_mut().decide(request)
    }

    fn allow_host(&self, host: String) {
        self.borrow_mut().allow_host(host);
    }

    fn addresses(&self, decision: u32, addresses: Vec<String>) -> Result<(), Denial> {
        self.borrow().addresses(decision, &addresses)
    }

    fn redirect(&self, decision: u32, hop: u32, status: u16, location: Option<Vec<u8>>) -> Option<Decision> {
        self.borrow_mut().redirect(decision, hop, status, location.as_deref())
    }

    fn response(&self, decision: u32, status: u16, content_type: Option<Vec<u8>>) -> Result<(), Denial> {
        self.borrow().response(decision, status, content_type.as_deref())
    }

    fn forget(&self, decision: u32) {
        self.borrow_mut().forget(decision);
    }
}
