// Asks an HTTP server over and over, each connection its next question when the last is answered, and tells how long answers took.
//
//   load PORT CONNECTIONS SECONDS FILE    asks 127.0.0.1 for the paths in FILE, one a line, in random order
//
// One thread that costs little, because it shares the cores with what it measures. The answer is one line of JSON.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

using Clock = std::chrono::steady_clock;

[[noreturn]] static void fail(const std::string &problem) {
    fprintf(stderr, "load: %s\n", problem.c_str());
    exit(1);
}

struct Connection {
    int socket = -1;
    Clock::time_point asked;
    std::string received;
    size_t expected = 0; // the length of the whole answer, 0 before its head is there
};

static std::vector<std::string> requests_for(const char *file) {
    std::vector<std::string> requests;
    std::ifstream lines(file);
    for (std::string path; std::getline(lines, path);)
        requests.push_back("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    if (requests.empty()) fail(std::string("no paths in ") + file);
    return requests;
}

static int connected(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int made = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (made < 0 || connect(made, reinterpret_cast<sockaddr *>(&address), sizeof address)) fail("no connection");
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
}

// The length of the answer whose head has been received, 0 if it has not.
static size_t length_of(const std::string &received) {
    const size_t head = received.find("\r\n\r\n");
    if (head == std::string::npos) return 0;
    static const char field[] = "\r\ncontent-length:";
    const char *found = strcasestr(received.c_str(), field);
    if (!found || found > received.c_str() + head) fail("an answer without Content-Length: " + received.substr(0, head));
    return head + 4 + strtoul(found + sizeof field - 1, nullptr, 10);
}

static double cpu_seconds() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval &time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int main(int count, char **arguments) {
    if (count != 5) fail("usage: load PORT CONNECTIONS SECONDS FILE");
    const std::vector<std::string> requests = requests_for(arguments[4]);
    std::vector<Connection> connections(strtoul(arguments[2], nullptr, 10));
    std::mt19937 random(1);
    std::vector<uint32_t> micros;
    size_t refused = 0;
    const int watched = epoll_create1(0);

    const auto ask = [&](Connection &connection) {
        const std::string &request = requests[random() % requests.size()];
        connection.received.clear();
        connection.expected = 0;
        connection.asked = Clock::now();
        if (write(connection.socket, request.data(), request.size()) != ssize_t(request.size())) fail("a question could not be sent");
    };
    for (Connection &connection : connections) {
        connection.socket = connected(uint16_t(strtoul(arguments[1], nullptr, 10)));
        epoll_event event{EPOLLIN, {&connection}};
        epoll_ctl(watched, EPOLL_CTL_ADD, connection.socket, &event);
        ask(connection);
    }

    const auto started = Clock::now(), ends = started + std::chrono::milliseconds(long(atof(arguments[3]) * 1000));
    std::vector<epoll_event> events(connections.size());
    std::vector<char> buffer(1 << 18);
    while (Clock::now() < ends) {
        const int ready = epoll_wait(watched, events.data(), int(events.size()), 100);
        for (int i = 0; i < ready; i++) {
            Connection &connection = *static_cast<Connection *>(events[size_t(i)].data.ptr);
            const ssize_t size = read(connection.socket, buffer.data(), buffer.size());
            if (size <= 0) fail("the server closed a connection");
            connection.received.append(buffer.data(), size_t(size));
            if (!connection.expected) connection.expected = length_of(connection.received);
            if (!connection.expected || connection.received.size() < connection.expected) continue;
            const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - connection.asked);
            micros.push_back(uint32_t(took.count()));
            if (connection.received.compare(0, 12, "HTTP/1.1 200") != 0) refused++;
            ask(connection);
        }
    }
    if (micros.empty()) fail("no answer came");
    const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
    std::sort(micros.begin(), micros.end());
    const auto quantile = [&](double share) { return micros[std::min(micros.size() - 1, size_t(double(micros.size()) * share))]; };
    printf("{\"answers\": %zu, \"refused\": %zu, \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
           micros.size(), refused, seconds, cpu_seconds(), quantile(0.5), quantile(0.99), micros.back());
}
