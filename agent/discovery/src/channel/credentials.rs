//! The proof of who we are, on every request.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::ChannelError;

/// Puts the token, which is read each time because it is renewed in place, and the headers on a request.
#[derive(Debug, Clone)]
pub struct Credentials(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    token_file: PathBuf,
    headers: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
}

impl Credentials {
    pub(super) fn new(token_file: PathBuf, headers: &[(String, String)]) -> Result<Self, ChannelError> {
        let header = |(name, value): &(String, String)| {
            let refused = || ChannelError::Header { name: name.clone() };
            let key = name.parse().map_err(|_| refused())?;
            Ok((key, value.parse().map_err(|_| refused())?))
        };
        let headers = headers.iter().map(header).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Inner { token_file, headers })))
    }

    /// The token as it is now.
    ///
    /// # Errors
    /// The file cannot be read, or there is nothing in it.
    pub fn token(&self) -> io::Result<String> {
        let token = std::fs::read_to_string(&self.0.token_file)?;
        match token.trim() {
            "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty")),
            token => Ok(token.to_owned()),
        }
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let path = self.0.token_file.display();
        let refuse =
            |why: String| Status::unauthenticated(format!("our own token in {path} cannot be used: {why}"));
        let token = self.token().map_err(|error| refuse(error.to_string()))?;
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
            .parse()
            .map_err(|_| refuse("it has characters that no token has".into()))?;
        value.set_sensitive(true);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", value);
        for (name, value) in &self.0.headers {
            metadata.insert(name.clone(), value.clone());
        }
        Ok(request)
    }
}
