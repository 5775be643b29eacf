// For the tests, which play the same exchanges through a proxy in their own process.

export interface Exchange {
  readonly row: string
  readonly name: string
  readonly about: 'bytes' | 'endings'
}

export interface Seen {
  readonly client: { readonly received: string; readonly ending: string }
  readonly server: readonly { readonly received: string; readonly ending: string }[]
  readonly inVain: string | null
}

export interface Way {
  readonly port: number
  stop(): Promise<void>
}

export function play(
  exchange: Exchange,
  startWay: (serverPort: number) => Promise<Way>,
  manners?: { readonly patienceMs?: number; readonly pieceBytes?: number },
): Promise<Seen>

export function straight(serverPort: number): Promise<Way>

export interface Difference {
  readonly taste: readonly string[]
  readonly substance: readonly string[]
}

export function difference(direct: Seen, other: Seen, about: Exchange['about']): Difference
