// What of a URL may stand in a log.

/** Clients of other servers put tokens there. Here they are of no use, but they may be good ones. */
const SECRET_PARAMETER = /([?&](?:access_token|api_key|auth|authorization|key|password|secret|token)=)[^&]*/gi

/** A path with its query, without secrets. */
export function loggedPath(url: string): string {
  return url.replaceAll(SECRET_PARAMETER, '$1***')
}
