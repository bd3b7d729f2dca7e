"""The driver, on a model of the serial bridge and on mapped memory."""

import numpy as np
import pytest

from flows.fpga import build, find_board
from flows.fpga.host.driver import Board, BoardError, MappedPort, SerialPort

CONTROL, STATUS, PROGRAM = 0, 1, 2


class Bridge:
    """The other end of a serial line, byte by byte, as `rtl.control.bridge` describes it."""

    def __init__(self, network, content):
        self.network, self.memory, self.registers = network, bytearray(content), {}
        self.received, self.sent = b"", b""
        self.unit = network.bundle.accelerator.memory_bits // 8

    def write(self, data):
        self.received += data
        while len(self.received) >= 7:
            code, word, count = self.received[0], *self._head()
            body = 4 * count if code & 1 else 0
            if len(self.received) < 7 + body:
                return
            words, self.received = self.received[7 : 7 + body], self.received[7 + body :]
            for place in range(count):
                self._serve(code, word + place, words[4 * place : 4 * place + 4])
            self.sent += b"\x06" if code & 1 else b""

    def read(self, size):
        answer, self.sent = self.sent[:size], self.sent[size:]
        return answer

    def _head(self):
        return int.from_bytes(self.received[1:5], "little"), int.from_bytes(self.received[5:7], "little")

    def _serve(self, code, word, value):
        at = word * self.unit
        if code == 0:
            self.sent += bytes(self.memory[at : at + self.unit]).ljust(4, b"\0")
        elif code == 1:
            self.memory[at : at + self.unit] = value[: self.unit]
        elif code == 2:
            self.sent += self.registers.get(word, 0).to_bytes(4, "little")
        elif word == CONTROL:
            content = np.frombuffer(bytes(self.memory), np.uint8)
            done = self.network.bundle.accelerator.compute(content, self.registers[PROGRAM])
            self.memory, self.registers[STATUS] = bytearray(done.image.tobytes()), done.error << 4
        else:
            self.registers[word] = int.from_bytes(value, "little")


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("build") / "small"
    build(find_board("icebreaker"), network.bundle.accelerator, path, network.bundle)
    return path


@pytest.fixture
def image():
    return np.random.default_rng(3).integers(-128, 128, (2, 4, 4))


def test_the_serial_driver_computes_an_image(network, folder, image):
    line = Bridge(network, network.bundle.content)
    board = Board(SerialPort(line, 2), folder)
    np.testing.assert_array_equal(board.run(image), network.bundle.run([image])[0])


def test_loading_fills_an_empty_memory_in_bursts(network, folder):
    content = np.random.default_rng(1).integers(0, 256, 5000, np.uint8).tobytes()
    line = Bridge(network, bytes(6000))
    Board(SerialPort(line, 2), folder).load(content)
    assert bytes(line.memory[:5000]) == content
    assert not any(line.memory[5000:])


def test_a_failed_program_and_a_silent_board_are_errors(network, folder, image):
    line = Bridge(network, bytes(len(network.bundle.content)))
    with pytest.raises(BoardError, match=r"^the program ended with error 1 at command 0$"):
        Board(SerialPort(line, 2), folder).run(image)
    line.read = lambda size: b""
    with pytest.raises(BoardError, match=r"^the board did not acknowledge$"):
        Board(SerialPort(line, 2), folder).run(image)


def test_the_mapped_port_reads_and_writes_words(network, folder):
    registers, memory = np.zeros(8, np.uint32), np.zeros(16, np.uint8)
    port = MappedPort(registers, memory, 2)
    port.write(3, b"abcd")
    port.set_register(PROGRAM, 7)
    assert (port.read(3, 2), memory[6:10].tobytes(), port.register(PROGRAM)) == (b"abcd", b"abcd", 7)
