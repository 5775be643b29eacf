// Which connection a CancelRequest is for: by the key that the server gave it (BackendKeyData). Clients send it on a
// connection of its own, through any proxy to the same server.

interface CancelTarget {
  /** True if it concerned a statement that the proxy held itself. */
  cancel(): boolean
}

export const cancelTargets = new Map<string, CancelTarget>()
