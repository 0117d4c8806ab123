// SPDX-License-Identifier: MIT
// Allocates through C++'s operators, without a name of hakmem's own.
#include <string>

int main(int argc, char **) {
    std::string text(static_cast<unsigned>(argc) * 1000u, 'x');
    return text.back() == 'x' ? 0 : 1;
}
