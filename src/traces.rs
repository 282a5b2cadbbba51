//! Traces: each call as a span, sent to a collector of OpenTelemetry. Built with the feature `otel` only.
//!
//! Knows the collector and how a caller's trace goes on here; what a span says of its call, `metrics` says. The
//! variables are those of OpenTelemetry itself (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME` and their like); without
//! an endpoint nothing is sent.

use http::HeaderMap;
use opentelemetry::{propagation::Extractor, trace::TracerProvider as _};
use opentelemetry_otlp::{
    ExporterBuildError, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, SpanExporter,
};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::metrics::CALLS;

/// What the service is called where `OTEL_SERVICE_NAME` does not say.
const SERVICE: &str = "parkwattd";

/// Spans on their way to the collector; what is left of them is sent when this is dropped.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Returns what sends spans, if the environment names a collector. For a tokio runtime.
    ///
    /// # Errors
    /// If what the environment says is of no use.
    pub fn of_environment() -> Result<Option<Traces>, ExporterBuildError> {
        let endpoints = [OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT];
        if endpoints.iter().all(|variable| std::env::var_os(variable).is_none()) {
            return Ok(None);
        }
        let exporter = SpanExporter::builder().with_tonic().build()?;
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => Resource::builder().build(),
            None => Resource::builder().with_service_name(SERVICE).build(),
        };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Some(Traces(provider)))
    }

    /// Returns the layer of a subscriber that makes spans of calls.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let tracer = self.0.tracer(SERVICE);
        let calls = Targets::new().with_target(CALLS, Level::DEBUG);
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(calls)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // OK because: a collector that is gone keeps no node from ending, and the log has said so.
        let _ = self.0.shutdown();
    }
}

/// Makes a span part of the trace that a call's metadata names (`traceparent`), if it does.
pub fn go_on(span: &Span, headers: &HeaderMap) {
    use opentelemetry::propagation::TextMapPropagator as _;
    let of_caller = TraceContextPropagator::new().extract(&Headers(headers));
    // OK because: without a collector there is no trace that it could be part of.
    let _ = span.set_parent(of_caller);
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
