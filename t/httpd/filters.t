# Other modules find the filters where mod_ssl has them, and may use them in every way: all modes of reading, all kinds of
# buckets, metadata in order, whatever the filters below and above do.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Client;
use SL::Command qw(slow slurp wait_until);
use SL::Probe;

my $host = 'one.test';

# The answers to the same questions must be mod_ssl's.
my @same = (
    'FILTERS', 'TLS', 'VAR SSL_PROTOCOL', 'VAR SSL_CIPHER', 'VAR SSL_TLS_SNI', 'VAR SSL_SERVER_S_DN_CN', 'VAR SSL_CLIENT_VERIFY',
    'VAR SSL_SESSION_RESUMED', 'VAR HTTPS', 'VAR NONSENSE', 'EXT subjectAltName', 'EXT 2.5.29.19', 'EXT 1.2.3.4',
    'PEEREXT subjectAltName', 'INIT', 'INIT NOW',
    "LINE\nnext line\n", "READ 5\nhello", "READ 100\nless", "READ 5 NOW", "PEEK 24 NOW", "LINE NOW",
    ["PEEK 24\nTLS\n" => 2], ["PEEK 2\nTLS\n" => 2], ["PEEK 24 NOW\nTLS\n" => 2],
    ["LINE\n" . 'x' x 9000 . "\n" => 2], ["INPUT timeup\nREAD 10\n" => 2], 'TLS',
    'SEND heap pool immortal transient FLUSH', 'SEND heap / MARK / pool / EOS / transient FLUSH', 'SEND empty heap empty FLUSH',
    'SEND', 'SEND file pipe heap', 'SEND heap MARK / / MARK', 'BIG 300000',
    ["OUTPUT keep\n" => 1], ["BIG 300000\n" => 1], ["SEND heap / transient / MARK file pool\n" => 1], ["OUTPUT plain\n" => 1],
    'TLS',
);

sub answers {
    my ($probe) = @_;
    my @answers;
    for my $question (@same) {
        my ($text, $count) = ref $question ? @$question : ($question, 1);
        push @answers, join '', map { $_ == 1 ? scalar $probe->ask($text) // 'nothing' : $probe->answer // 'nothing' } 1 .. $count;
    }
    return @answers;
}

sub probe { my ($client, %o) = @_; return SL::Probe->new($client->tls($host, timeout => 20, %o)) }

sub start {
    my (%o) = @_;
    my $httpd = SL::Probe::httpd(%o);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return ($httpd, SL::Client->new(port => $httpd->port('https')));
}

sub compare {
    my ($client) = @_;
    my ($reference, $reference_client) = start(tls => 'mod_ssl', name => 'mod_ssl');
    my @expected = answers(probe($reference_client));
    $reference->stop;
    my @got = answers(probe($client));
    for my $n (0 .. $#same) {
        my $question = ref $same[$n] ? $same[$n][0] : $same[$n];
        $question =~ s/\n/\\n/g;
        is(substr($got[$n], 0, 2000), substr($expected[$n], 0, 2000), 'as with mod_ssl: ' . substr $question, 0, 60);
        ok($got[$n] eq $expected[$n], '... all of it') if length $got[$n] > 2000;
    }
    like($got[0], qr{^in ssl/tls filter 55$}m, 'the filter in is there');
    like($got[0], qr{^out ssl/tls coalescing filter 54\nout ssl/tls filter 55$}m, 'the filters out are there');
    return;
}

sub reading {
    my ($probe) = @_;
    is($probe->ask("EAT\n\r\n\n\r\nTLS\n"), "success 0 \nsuccess 4 TLS\\n\n", 'EATCRLF takes blank lines');
    is($probe->answer, "1 1\n", '... and no more');
    is($probe->ask("EAT\n\n\rTLS\n"), "success 0 \nsuccess 4 \\rTLS\n", '... a CR alone is none');
    $probe->answer;
    is($probe->ask('EAT'), "success 0 \nagain 0 \n", '... it does not wait');
    is($probe->ask("ALL NOW\nabc"),  "success 3 abc\n", 'EXHAUSTIVE takes all there is');
    is($probe->ask('ALL NOW'),       "again 0 \n",      '... which may be nothing');
    is($probe->ask("LINE NOW\nabc"), "success 3 abc\n", 'GETLINE without waiting gives the part that is there');
    my $long = "LINE\n" . 'y' x 20000 . "\nLINE\nLINE\nTLS\n";
    is($probe->ask($long), "success 8192 yyyyyyyyyy\n", 'a line is given in parts of 8 KB');
    # The rest of the line is taken for a command.
    $probe->answer;
    is($probe->answer, "success 5 LINE\\n\n", '... up to its end');
    is($probe->answer, "1 1\n", '... and then comes the next');
    is($probe->ask("COUNT 1000000\n" . 'A' x 1000000), "success 0 wrong, at most a record at once\n", 'a million bytes');
    # A request for more than is there waits for the first byte only, a peek sees several records.
    $probe->stream->send("PEEK 9\n");
    $probe->stream->send('x');
    like($probe->answer, qr/^success 1 x$/, 'a peek waits for the first byte');
    my $peek = sub { $probe->stream->send("\n"); $probe->answer; $probe->ask("PEEK 9 NOW\nab") };
    ok(wait_until(sub { $peek->() eq "success 2 ab\n" }, 5 * slow()), '... and leaves it there');
    $probe->ask("\n");
    # What the network filters give may be cut up and strewn with empty and unknown buckets.
    $probe->stream->send("INPUT odd\nTLS\n");
    is($probe->answer, '', 'the filter below gives single bytes, empty and unknown buckets');
    is($probe->answer, "1 1\n", '... commands are read');
    is($probe->ask("COUNT 100000\n" . 'A' x 100000), "success 0 wrong, at most a record at once\n", '... and a body');
    $probe->ask("INPUT plain\n");
    return;
}

# No filter above the network is asked for more than OpenSSL needs, so nothing is left in it.
sub exact_reads {
    my ($probe) = @_;
    $probe->ask('ASKED');
    $probe->ask("READ 100\n" . 'z' x 50);
    my ($asked) = $probe->ask('ASKED');
    my ($head, @rest) = grep { !/now/ } split ' ', $asked;
    is($head, '0:block:5', 'a read asks for the head of a record');
    cmp_ok(scalar @rest, '>=', 1, '... then for its rest');
    is(scalar(grep { (split /:/)[2] > 5 + 16384 + 256 } @rest), 0, '... never for more than a record');
    return;
}

sub writing {
    my ($probe) = @_;
    $probe->ask('SEEN');
    $probe->ask('SEEN');
    is($probe->ask('SEND heap / immortal / pool / transient'), "[heap][immortal][pool][transient]sent\n", 'small pieces');
    is($probe->ask('SEEN'), "data FLUSH | data FLUSH |\n", '... share a record');
    is($probe->ask('SEND heap MARK pool / EOS / empty MARK'), "[heap][pool]sent\n", 'metadata');
    is($probe->ask('SEEN'), "data FLUSH | data MARK | data | EOS | MARK | data FLUSH |\n", '... keeps its place among the data');
    my $file = $probe->ask('SEND file');
    is($file, 'F' x 70000 . "sent\n", 'a file');
    is($probe->ask('SEEN'), "data FLUSH | data | data | data FLUSH |\n", '... goes down several records at a time');
    is($probe->ask('BIG 300000'), 'B' x 300000 . "\n", 'a big piece of memory');
    is($probe->ask('SEEN'), 'data FLUSH | ' . 'data | ' x 4 . "data FLUSH |\n", '... too');
    is($probe->ask("OUTPUT keep"), "ok\n", 'a filter below keeps what it gets');
    is($probe->ask('BIG 300000'), 'B' x 300000 . "\n", '... and it stays what it was');
    $probe->ask('OUTPUT plain');
    is($probe->ask('SEND heap MARK WRITER pool FLUSH'), "[heap]written by a bucket\n[pool]sent\n",
        'a bucket may write to the connection when it goes');
    is($probe->ask('SEND heap / pool / REMOVE immortal'), "[heap][pool][immortal]sent\n",
        'nothing is lost when the coalescing filter is removed');
    is($probe->ask('SEND heap / pool'), "[heap][pool]sent\n", '... and after that');
    unlike($probe->ask('FILTERS'), qr/coalescing/, '... it is gone');
    return;
}

# Each ends a connection: what the module is told is in the log.
sub endings {
    my ($httpd, $client) = @_;
    my %said = (
        "INPUT reset\nREAD 10\n"         => qr/probe: read: (reset 0) /,
        "INPUT reset\nALL\nabc"          => qr/probe: read: (success 3 abc)/,
        "INPUT eos\nREAD 10\n"           => qr/probe: read: (end 0) /,
        "OUTPUT fail\nSEND heap FLUSH\n" => qr/probe: sent: (pipe), aborted 1/,
        "ABORT\n"                        => qr/probe: aborted: (in aborted, EOS, out aborted)/,
    );
    for my $text (sort keys %said) {
        $httpd->mark;
        my $probe = probe($client);
        (my $name = $text) =~ s/\n/\\n/g;
        $probe->stream->send($text);
        ok($httpd->wait_for_log($said{$text}), "$name says $said{$text}");
        $probe->stream->send("QUIT\n");
        ok(defined $probe->stream->read_to_end, '... and the connection ends');
    }
    $httpd->mark;
    my $probe = probe($client);
    $probe->stream->send("INPUT reset\nBOTH 500\nabc");
    ok($httpd->wait_for_log(qr/probe: read: success 3 abc.*probe: read: success 3 abc/s),
        'what came before a reset is seen by a peek and delivered');
    return;
}

# Records without data between those with some: nothing waits behind them, but there is a limit.
sub key_updates {
    my ($httpd, $client) = @_;
    my $probe  = probe($client, commands => 1, args => ['-tls1_3']);
    my $sent   = 0;
    my $update = sub {
        $probe->stream->send("K\n") or return;
        $sent++;
        return wait_until(sub { $sent == (() = slurp($probe->stream->{log}) =~ /KEYUPDATE/g) }, 2 * slow());
    };
    for (1 .. 3) {
        ok($update->(), 'the client updates the keys');
        is($probe->ask('TLS') =~ /^1 1$/m ? 1 : 0, 1, '... and goes on');
    }
    my $count = 0;
    while ($count < 20 && $update->()) { $count++ }
    like($probe->ask('TLS'), qr/^1 1$/m, '20 updates in a row');
    1 while $update->() && $count++ < 1000;
    cmp_ok($count, '<', 1000, 'a flood of them ends the connection');
    $probe->stream->close;
    return;
}

# On a TLS port the client speaks plain text (what begins like HTTP passes).
sub plain_text {
    my ($client) = @_;
    my $probe = SL::Probe->new($client->raw);
    is($probe->ask("GET / HTTP/1.0\n"), '', 'a connection without TLS');
    is($probe->ask('TLS'), "0 0\n", '... says that it is none');
    is($probe->ask("READ 5\nhello"), "success 5 hello\n", '... reads bytes');
    is($probe->ask("LINE\nline\n"), "success 5 line\\n\n", '... and lines');
    is($probe->ask("PEEK 3\nTLS\n"), "success 3 TLS\n", '... and peeks');
    is($probe->answer, "0 0\n", '... taking nothing');
    $probe->ask("INPUT odd\nTLS\n");
    is($probe->answer, "0 0\n", '... with odd buckets');
    is($probe->ask("COUNT 10000\n" . 'A' x 10000), "success 0 wrong, at most a record at once\n", '... with many of them');
    is($probe->ask('SEND heap / MARK pool file'), '[heap][pool]' . 'F' x 70000 . "sent\n", '... and writes');
    $probe->stream->send("QUIT\n");
    is($probe->stream->ended(10 * slow()), 'closed', '... until the end');
    return;
}

for my $mpm (qw(event worker prefork)) {
    my ($httpd, $client) = start(mpm => $mpm);
    subtest "$mpm: as with mod_ssl", sub { compare($client) } if $mpm eq 'event';
    subtest "$mpm: reading",     sub { reading(probe($client)) };
    subtest "$mpm: exact reads", sub { exact_reads(probe($client)) };
    subtest "$mpm: writing",     sub { writing(probe($client)) };
    subtest "$mpm: endings",     sub { endings($httpd, $client) };
    subtest "$mpm: key updates", sub { key_updates($httpd, $client) };
    subtest "$mpm: plain text",  sub { plain_text($client) };
    $httpd->stop;
}
done_testing;
