// All situations by name, for tests that run each of them.
import * as commit from './commit.ts'
import * as copy from './copy.ts'
import * as extended from './extended.ts'
import * as simple from './simple.ts'
import type { Situation } from './situation.ts'
import * as startup from './startup.ts'
import * as termination from './termination.ts'

export { startupServer, type Login } from './startup.ts'
export type { Failure, Situation } from './situation.ts'

/** The connection goes on after the failure; with the failure `none`, nothing fails. */
export const situations = { ...simple, ...extended, ...commit, ...copy } satisfies Record<string, Situation>

/** The server ends the connection; with the failure `none`, they wait for a proxy to end it. */
export const terminations = termination satisfies Record<string, Situation>

const { startupServer: _, ...all } = startup

/** For a server with the options {@link startup.startupServer}. */
export const logins = all satisfies Record<string, startup.Login>
