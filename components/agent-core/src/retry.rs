//! Which failures of a model are worth another try, and when.

use crate::wardian::agent::types::{ModelError, NetworkKind};

const DELAY_MS_MIN: u64 = 500;
const DELAY_MS_MAX: u64 = 30_000;

/// A provider that asks for more patience than this is answered with an error: the user may want to do something else.
const RETRY_AFTER_MS_MAX: u64 = 120_000;

/// Milliseconds to wait before try number `attempt` (1 is the first retry), or none when trying again is useless.
pub fn delay_ms(error: &ModelError, attempt: u32) -> Option<u64> {
    let backoff = DELAY_MS_MIN.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(DELAY_MS_MAX);
    match error {
        ModelError::RateLimited(limited) => match limited.retry_after_ms {
            Some(asked) if asked > RETRY_AFTER_MS_MAX => None,
            Some(asked) => Some(asked),
            None => Some(backoff),
        },
        ModelError::Overloaded(_) => Some(backoff),
        ModelError::Network(error) => match error.kind {
            NetworkKind::Dns
            | NetworkKind::Connect
            | NetworkKind::Reset
            | NetworkKind::Timeout
            | NetworkKind::Other => Some(backoff),
            NetworkKind::Tls | NetworkKind::RefusedByPolicy => None,
        },
        ModelError::Auth(_)
        | ModelError::Quota(_)
        | ModelError::InvalidRequest(_)
        | ModelError::ContentFilter(_)
        | ModelError::Protocol(_)
        | ModelError::Limit(_)
        | ModelError::Cancelled
        | ModelError::Journal(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wardian::agent::types::{NetworkError, RateLimited};

    fn limited(retry_after_ms: Option<u64>) -> ModelError {
        ModelError::RateLimited(RateLimited { message: "slow down".into(), retry_after_ms })
    }

    #[test]
    fn the_provider_s_own_delay_wins_unless_it_is_absurd() {
        assert_eq!(delay_ms(&limited(Some(7)), 3), Some(7));
        assert_eq!(delay_ms(&limited(Some(RETRY_AFTER_MS_MAX + 1)), 1), None);
    }

    #[test]
    fn backoff_doubles_up_to_a_bound() {
        let delays: Vec<_> = (1..=9).map(|attempt| delay_ms(&limited(None), attempt).unwrap()).collect();
        assert_eq!(delays[..4], [500, 1_000, 2_000, 4_000]);
        assert_eq!(delays[8], DELAY_MS_MAX);
        assert_eq!(delay_ms(&limited(None), u32::MAX), Some(DELAY_MS_MAX));
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again() {
        assert_eq!(delay_ms(&ModelError::Auth("no key".into()), 1), None);
        assert_eq!(delay_ms(&ModelError::Quota("no credit".into()), 1), None);
        assert_eq!(delay_ms(&ModelError::Cancelled, 1), None);
        let tls = NetworkError { kind: NetworkKind::Tls, message: "bad certificate".into() };
        assert_eq!(delay_ms(&ModelError::Network(tls), 1), None);
    }
}
