-- Prints wrk's results as one line of JSON, in full precision.

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nREPORT {"requests":%d,"durationMicros":%d,"p50Micros":%.3f,"p99Micros":%.3f,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout
  ))
end
