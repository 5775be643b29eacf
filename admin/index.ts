// The admin server's public face: `import { startAdminServer } from 'faultline/admin'`.
export { ConfigError, type ConfigProblem } from './config/config-error.ts'
export { loadConfig, type LoadedConfig, type LoadOptions } from './config/load.ts'
export { startAdminServer, type AdminServer, type AdminServerOptions } from './server.ts'
