// Which protocols a proxy can speak. A protocol that understands messages brings its codec as a folder beside this
// file and a line here; plain TCP needs none.

export const protocols = ['tcp'] as const

export type Protocol = (typeof protocols)[number]
