static struct { double x, y, z, vx, vy, vz, m; } p[5];
int run(int n) {
  for (int i = 0; i < 5; i++) {
    p[i].x = i * 1.7 + 1; p[i].y = i * i * 0.3; p[i].z = i * 0.9 - 2;
    p[i].vx = 0.01 * i; p[i].vy = 0.2 - 0.01 * i; p[i].vz = 0.005 * i * i; p[i].m = 1.0 / (1 + i * 10);
  }
  for (int s = 0; s < n; s++) {
    for (int i = 0; i < 5; i++)
      for (int j = i + 1; j < 5; j++) {
        double dx = p[i].x - p[j].x, dy = p[i].y - p[j].y, dz = p[i].z - p[j].z;
        double d2 = dx * dx + dy * dy + dz * dz + 0.01, mag = 0.001 / (d2 * __builtin_sqrt(d2));
        p[i].vx -= dx * p[j].m * mag; p[i].vy -= dy * p[j].m * mag; p[i].vz -= dz * p[j].m * mag;
        p[j].vx += dx * p[i].m * mag; p[j].vy += dy * p[i].m * mag; p[j].vz += dz * p[i].m * mag;
      }
    for (int i = 0; i < 5; i++) p[i].x += 0.001 * p[i].vx, p[i].y += 0.001 * p[i].vy, p[i].z += 0.001 * p[i].vz;
  }
  return (int)(p[0].x * 1e6);
}
