// The admin server's public face: `import { startAdminServer } from 'faultline/admin'`.
export { loadConfig, type LoadedConfig } from './config.ts'
export { startAdminServer, type AdminServer, type AdminServerOptions } from './server.ts'
