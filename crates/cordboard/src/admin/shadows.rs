//! The call about shadows: what would have been otherwise at the other door.

use http::{Response, StatusCode};

use super::view::{ShadowPage, ShadowView};
use super::{Ended, Operator, unavailable};
use crate::http::body::{self, Answer};

impl Operator {
    pub(super) async fn shadows(&self) -> Result<Response<Answer>, Ended> {
        let counts = self.shared.store().shadows().await.map_err(unavailable)?;
        Ok(body::value(StatusCode::OK, &ShadowPage { shadows: counts.iter().map(ShadowView::from).collect() }))
    }
}
