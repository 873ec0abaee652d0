import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// At the desk Vite stands where nginx stands in the image: /api/ leads to the backend.
const backend = process.env.BACKEND_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [
    react(),
    {
      name: 'config.json',
      configureServer(server) {
        server.middlewares.use('/config.json', (_, answer) => answer.end(JSON.stringify({ backend: '/api' })))
      },
    },
  ],
  server: {
    proxy: {
      '^/api/': { target: backend, changeOrigin: true, ws: true, rewrite: (path) => path.replace(/^\/api/, '') },
    },
  },
  test: { environment: 'jsdom' },
})
