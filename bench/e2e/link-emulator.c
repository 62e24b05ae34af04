/* Emulates a slow path between two network namespaces: it carries packets between two tun devices.
 *
 *   link-emulator NAMESPACE_A NAMESPACE_B RATE_BITS_PER_S DELAY_US QUEUE_BYTES LOSS_PPM
 *
 * Each direction has a queue of QUEUE bytes, a bottleneck of RATE, and then a delay of DELAY and a loss of
 * LOSS packets per million. A full queue drops packets. The device is "path" on both sides; it has no
 * address yet when the program prints that it is ready. SIGTERM ends the program and removes the devices.
 * Needs root. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKET_BYTES 2048 /* holds any packet of the devices' MTU of 1500 */
#define LANE_PACKETS 16384

struct packet {
  uint64_t leaves_ns;  /* the bottleneck */
  uint64_t arrives_ns; /* at the far side; 0 for one that is lost on the way */
  uint32_t length;
  uint8_t bytes[PACKET_BYTES];
};

/* Positions only grow; index = position % LANE_PACKETS; first <= waiting <= end. Packets from `waiting` on
 * are in the queue before the bottleneck. Packets before `waiting` are in the delay. */
struct lane {
  int from, to;
  uint64_t first, waiting, end;
  uint64_t queued_bytes, bottleneck_free_ns;
  struct packet *packets;
};

static uint64_t rate_bits, delay_ns, queue_bytes, loss_ppm;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int open_device(const char *namespace) {
  char path[128];
  snprintf(path, sizeof path, "/run/netns/%s", namespace);
  int there = open(path, O_RDONLY | O_CLOEXEC);
  if (there < 0 || setns(there, CLONE_NEWNET) != 0) die(path);
  close(there);
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0) die("/dev/net/tun");
  struct ifreq wanted;
  memset(&wanted, 0, sizeof wanted);
  strcpy(wanted.ifr_name, "path");
  wanted.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(device, TUNSETIFF, &wanted) != 0) die("TUNSETIFF");
  return device;
}

static int lost(void) {
  static uint64_t state = 88172645463325252u; /* xorshift64: the same losses in every run */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % 1000000 < loss_ppm;
}

static void pass_bottleneck(struct lane *lane, uint64_t now) {
  while (lane->waiting < lane->end) {
    struct packet *packet = &lane->packets[lane->waiting % LANE_PACKETS];
    if (packet->leaves_ns > now) return;
    lane->queued_bytes -= packet->length;
    lane->waiting++;
  }
}

static void take_in(struct lane *lane) {
  for (;;) {
    struct packet *packet = &lane->packets[lane->end % LANE_PACKETS];
    static uint8_t refused[PACKET_BYTES];
    int room = lane->end - lane->first < LANE_PACKETS;
    ssize_t length = read(lane->from, room ? packet->bytes : refused, PACKET_BYTES);
    if (length <= 0) return;
    uint64_t now = monotonic_ns();
    pass_bottleneck(lane, now);
    if (!room || lane->queued_bytes + (uint64_t)length > queue_bytes) continue;
    uint64_t start = lane->bottleneck_free_ns > now ? lane->bottleneck_free_ns : now;
    lane->bottleneck_free_ns = start + (uint64_t)length * 8u * 1000000000u / rate_bits;
    packet->length = (uint32_t)length;
    packet->leaves_ns = lane->bottleneck_free_ns;
    packet->arrives_ns = lost() ? 0 : packet->leaves_ns + delay_ns;
    lane->queued_bytes += (uint64_t)length;
    lane->end++;
  }
}

/* Returns the time when the next packet arrives, or UINT64_MAX without a packet. */
static uint64_t hand_out(struct lane *lane) {
  uint64_t now = monotonic_ns();
  pass_bottleneck(lane, now);
  for (; lane->first < lane->end; lane->first++) {
    struct packet *packet = &lane->packets[lane->first % LANE_PACKETS];
    uint64_t due = packet->arrives_ns ? packet->arrives_ns : packet->leaves_ns;
    if (due > now) return due;
    /* A packet the device does not take is lost, as on any network. */
    if (packet->arrives_ns && write(lane->to, packet->bytes, packet->length) < 0) continue;
  }
  return UINT64_MAX;
}

int main(int count, char **words) {
  if (count != 7) {
    fprintf(stderr, "usage: link-emulator NAMESPACE_A NAMESPACE_B RATE_BITS DELAY_US QUEUE_BYTES LOSS_PPM\n");
    return 2;
  }
  rate_bits = strtoull(words[3], NULL, 10);
  delay_ns = strtoull(words[4], NULL, 10) * 1000u;
  queue_bytes = strtoull(words[5], NULL, 10);
  loss_ppm = strtoull(words[6], NULL, 10);
  int a = open_device(words[1]), b = open_device(words[2]);
  struct lane lanes[2] = {{.from = a, .to = b}, {.from = b, .to = a}};
  for (int i = 0; i < 2; i++) {
    lanes[i].packets = calloc(LANE_PACKETS, sizeof(struct packet));
    if (lanes[i].packets == NULL) die("calloc");
  }
  puts("{\"type\":\"ready\"}");
  fflush(stdout);
  for (;;) {
    uint64_t next = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
      take_in(&lanes[i]);
      uint64_t due = hand_out(&lanes[i]);
      if (due < next) next = due;
    }
    struct pollfd devices[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    uint64_t now = monotonic_ns(), wait = next > now ? next - now : 0;
    struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    ppoll(devices, 2, next == UINT64_MAX ? NULL : &timeout, NULL);
  }
}
